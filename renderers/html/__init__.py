"""HTML rendering: Jinja environment, form controls, field cache, pagination, diagram."""
