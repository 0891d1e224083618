"""The application context that every service receives, cached editions, rate limits, parsing of phone numbers."""
