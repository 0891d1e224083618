"""Applications: drafts, corrections, attachments, actions of agents, opinions, messages, documents."""
