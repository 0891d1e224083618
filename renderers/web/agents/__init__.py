"""Agents' pages on dossiers."""
