"""The faces: values in, text or bytes out. No store, no clock, no decision."""
