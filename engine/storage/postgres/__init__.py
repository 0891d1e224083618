"""The PostgreSQL store: connection pool, migrations, connection errors."""
