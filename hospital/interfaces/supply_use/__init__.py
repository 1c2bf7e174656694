"""Supplies used at the point of care."""
