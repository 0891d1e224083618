"""Domain rules: pure functions without clock, file or random value."""
