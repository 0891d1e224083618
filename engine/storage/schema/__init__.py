"""Tables, indexes and the list of migrations, for SQLite and PostgreSQL."""
