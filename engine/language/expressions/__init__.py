"""Syntax, types, parser, compilation to closures."""
