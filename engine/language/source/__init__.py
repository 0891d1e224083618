"""YAML text → tree with positions; JSON Schema and S2xx rules; notations; formatter."""
