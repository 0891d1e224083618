"""Drafts, corrections, attachments, casework, bulk, opinions, messages, document links."""
