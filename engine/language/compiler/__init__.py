"""The compiler: includes (presets, blocks), namespace, symbol types, one builder a section, canonical form."""
