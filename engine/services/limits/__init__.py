"""Limits on how often a person, a browser or an address may ask, and on guesses of codes."""
