"""Translations (fr, en, ee), language spans, problem messages and log format, from `catalogues/*.yaml`."""
