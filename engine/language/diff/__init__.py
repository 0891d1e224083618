"""Differences of two editions, their impact, and the anonymous population file."""
