"""Checks of a compiled procedure without a solver (families C, L, V, E and rules P1 to P3)."""
