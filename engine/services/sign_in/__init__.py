"""Sign-in of applicants and agents, sessions, passwords and second factor."""
