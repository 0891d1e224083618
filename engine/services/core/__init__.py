"""What several services share: commit of a decision, journal, idempotency, jobs, calls and outbound messages."""
