"""`guichet` commands on an installation, and the set-up of its processes."""
