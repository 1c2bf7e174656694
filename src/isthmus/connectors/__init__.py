"""Connectors: one folder per kind of system; words (pure), client (sockets), practice (a stand-in certified by the same tests)."""
