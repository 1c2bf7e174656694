"""Journals: what came in, what it meant and what became of it, durably."""
