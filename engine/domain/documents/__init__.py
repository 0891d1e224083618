"""Issued documents, their content, retention."""
