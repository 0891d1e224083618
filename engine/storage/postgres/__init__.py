"""PostgreSQL driver, pool, migrations, connection errors."""
