"""Formats: sans-I/O, bytes in, values out."""
