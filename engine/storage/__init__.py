"""Unit-of-work errors and query records, table copy."""
