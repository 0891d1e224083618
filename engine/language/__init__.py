"""The language of procedure files: source, expressions, compiler, lint, differences, catalogue."""
