"""Auditors' pages."""
