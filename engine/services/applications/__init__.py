"""Applications: drafts, corrections, attachments, agents' actions, opinions, messages, notes and documents."""
