"""Bookings, walk-ins, opening changes, lost appointments, capacity."""
