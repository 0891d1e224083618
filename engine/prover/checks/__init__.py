"""The proofs P1 to P10, one module for each property."""
