"""The translation to Z3, queries and witnesses."""
