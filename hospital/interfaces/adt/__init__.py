"""Admissions, transfers, discharges, updates and merges."""
