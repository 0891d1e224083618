"""The worker: timers, message delivery, jobs, external calls, retention and agent notifications."""
