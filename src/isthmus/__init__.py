"""Isthmus: the narrow strip of land between a hospital's clinical systems and its administration."""
