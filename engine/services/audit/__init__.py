"""Integrity check, checkpoints, journal search, exports, statistics."""
