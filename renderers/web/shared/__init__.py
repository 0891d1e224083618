"""View models used by several areas."""
