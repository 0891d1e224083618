"""Public pages: catalogue, editions, open data, statistics, help."""
