"""Shared parts of services: commit, journal, idempotency, jobs, call queue, outbound messages."""
