"""Issued documents: their content, numbers and validity, and the retention of dossiers."""
