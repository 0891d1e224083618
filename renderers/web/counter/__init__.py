"""Assisted applications."""
