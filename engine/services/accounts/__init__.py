"""Applicant accounts, agents and their rights, delegation, assistance at a counter, handover and access log."""
