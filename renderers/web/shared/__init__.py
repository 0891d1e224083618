"""View models and pages used by several areas of the site."""
