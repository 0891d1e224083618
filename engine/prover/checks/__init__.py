"""The proofs P1 to P10 of a procedure, one module for each property, and their runner."""
