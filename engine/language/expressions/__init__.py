"""The expression language: syntax, types, parser and compilation to closures."""
