"""SQL shared by SQLite and PostgreSQL: queries by subject and integrity checks."""
