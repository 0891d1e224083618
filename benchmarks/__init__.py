"""Measures side by side: every line runs both sides in one run, in turns, and prints medians. Nothing here judges."""
