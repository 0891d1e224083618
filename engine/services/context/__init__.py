"""The application context that every service receives, with what it is built from."""
