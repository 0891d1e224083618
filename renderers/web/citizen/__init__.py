"""Pages of an applicant's request: form, submission, status, acts, payment, appointment, documents."""
