"""Appointments: slots and bookings, visitors without a booking, changes of opening hours."""
