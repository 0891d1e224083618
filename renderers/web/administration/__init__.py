"""Offices, teams, jobs, own account."""
