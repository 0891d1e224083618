"""The rules: pure functions that hold the facts against the book. No file, no network, no clock of their own."""
