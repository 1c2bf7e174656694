"""Appointments: booked, moved, cancelled, missed."""
