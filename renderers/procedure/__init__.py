"""The public page of a procedure: prices, appointments, steps, search, statistics, feed."""
