"""Checks of a compiled procedure without a solver (families C, V, E and rules P1 to P3)."""
