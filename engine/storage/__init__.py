"""Storage: units of work on SQLite and PostgreSQL, table copy, and the store of uploaded files."""
