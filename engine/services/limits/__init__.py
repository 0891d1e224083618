"""Limits on requests and uploads by person, browser or address, and on guesses of passwords and codes."""
