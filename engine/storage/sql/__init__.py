"""SQL shared by SQLite and PostgreSQL: queries per subject, DDL, migration list, integrity checks."""
