"""The book: a procedure as its YAML file states it, read, checked and frozen. Knows no dossier and no store."""
