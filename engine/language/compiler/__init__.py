"""Includes (presets, blocks), namespace, symbols, one builder per section, canonical form."""
