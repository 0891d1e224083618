"""Slots, walk-ins, opening changes."""
