"""`guichet` commands on an installation; process set-up."""
