"""Fields: field types, raw answers, evaluated answers, views of fields and their display."""
