"""Public page, prices, appointments, search, statistics, feed."""
