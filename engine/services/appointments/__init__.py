"""Appointments: bookings, walk-ins, capacity, opening changes and the appointments that they cancel."""
