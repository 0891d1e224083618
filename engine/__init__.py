"""The engine: procedures, dossiers, rules, services and storage. It contains no HTTP, no HTML and no French text."""
