"""The engine: procedures, dossiers, rules, services and storage. Pages and wording are in `renderers`."""
