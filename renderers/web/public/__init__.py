"""Catalogue, editions, open data, statistics, help."""
