"""Pages on which agents handle dossiers."""
