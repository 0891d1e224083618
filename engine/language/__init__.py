"""The language of procedure files: source, expressions, compilation, lint, differences, catalogue."""
