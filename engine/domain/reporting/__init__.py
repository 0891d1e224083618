"""Reporting: the dossier state that the journal implies, counters of events, published figures."""
