"""Typst, documents, QR, iCalendar."""
