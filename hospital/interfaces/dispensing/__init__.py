"""Prescribed and given out: medication."""
