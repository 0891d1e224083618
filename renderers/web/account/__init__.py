"""Applicant sign-in and account."""
