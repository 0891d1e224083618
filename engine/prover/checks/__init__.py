"""Proofs P1–P10, one module a property."""
