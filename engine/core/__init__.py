"""Plain values, problems, clock, GSM-7, spelling suggestions, countries."""
