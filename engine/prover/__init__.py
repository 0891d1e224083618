"""Proofs on a compiled procedure, with the solver Z3."""
