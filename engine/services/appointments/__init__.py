"""Appointments: bookings, walk-ins, capacity, opening changes and appointments lost by them."""
