"""App: command line, composition root; imported by nobody."""
