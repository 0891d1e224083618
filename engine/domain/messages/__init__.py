"""Messages: notifications of applicants and agents, notification preferences, snippets."""
