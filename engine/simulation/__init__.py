"""Scenarios in memory, exploration, author's preview, demo data, coverage."""
