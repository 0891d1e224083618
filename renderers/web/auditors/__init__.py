"""Pages of auditors: procedures, dossiers and journals, all read-only."""
