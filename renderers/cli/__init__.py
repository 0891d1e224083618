"""The `guichet` command line: commands for authors, and `admin` for installations."""
