"""Translation to Z3, queries, witnesses."""
