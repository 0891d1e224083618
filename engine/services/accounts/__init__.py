"""Applicant accounts, agents and their rights, delegation, assistance, handover and access log."""
