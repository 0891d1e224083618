"""SQLite driver, migrations, write queue with group commit."""
