"""A definition in sentences, for jurists."""
