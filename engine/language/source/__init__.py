"""Reading of YAML text into a tree with positions, JSON Schema and rules of shape, literal formats, formatter."""
