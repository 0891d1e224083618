"""Integrations: clients of external systems (payment operators, message senders, registers, identity provider, antivirus)."""
