"""Differences of two editions, their impact, and the file of anonymous counts of running dossiers."""
