"""Notifications, preferences."""
