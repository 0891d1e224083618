"""Sign-in of applicants and agents, sessions, second factor, rate limit."""
