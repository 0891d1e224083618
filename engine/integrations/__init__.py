"""Integrations: clients of payment operators, message senders, registers, identity provider and antivirus."""
