"""Applicant account, agents and rights, delegation, assistance, handover, access log."""
