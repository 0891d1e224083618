"""Domain rules: pure functions of a procedure and a dossier, without clock, file or random value."""
