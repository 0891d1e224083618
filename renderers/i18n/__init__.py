"""Translations (fr, en, ee), language spans, problem messages, log format; `catalogues/*.yaml`."""
