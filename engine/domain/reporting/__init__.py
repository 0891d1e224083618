"""State implied by the journal, counters, figures."""
