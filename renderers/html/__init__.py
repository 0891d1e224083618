"""Jinja environment, controls, field cache, pagination, diagram."""
