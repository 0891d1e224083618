"""One request: filling, submission, status, acts, payment, appointment, documents."""
