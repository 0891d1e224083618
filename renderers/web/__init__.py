"""The desks: routes that ask the office and answer with a face. The only rooms, with server.py, that know Flask."""
