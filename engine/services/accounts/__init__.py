"""Applicant accounts, agents and their rights, delegation, assistance, supervision and access log."""
