"""A definition written out in sentences, for jurists."""
