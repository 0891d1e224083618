"""Sign-in and account of applicants."""
