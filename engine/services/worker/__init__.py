"""Periodic worker, job runner, retention, agent notifications."""
