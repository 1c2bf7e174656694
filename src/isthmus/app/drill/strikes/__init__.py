"""What each drill does to a running node: one function per drill, each returns how it hurt."""
