"""Application context, commit of a decision, idempotency, jobs, keys, outbound messages."""
