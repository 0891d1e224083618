"""The source of a definition: strict YAML reader with positions, JSON Schema, rules of shape, literal formats,
formatter."""
