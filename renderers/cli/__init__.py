"""`guichet` commands for authors."""
