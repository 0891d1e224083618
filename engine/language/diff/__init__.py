"""Differences of two editions and their impact; anonymous population file."""
