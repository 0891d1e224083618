"""The SQLite store: migrations, and a write queue with group commit."""
