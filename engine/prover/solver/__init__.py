"""The translation of procedures to Z3, queries to the solver, and witnesses (answers that it finds)."""
