"""The compiler: includes (presets, blocks), namespace, symbol types, one builder per section, canonical form."""
