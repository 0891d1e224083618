"""The web site: Flask blueprints by area."""
