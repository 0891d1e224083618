"""Checks on a compiled procedure without solver (C, V, E, P1–P3)."""
