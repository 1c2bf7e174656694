"""Charges: posted, credited, billed."""
