"""Engine: all the I/O; one small file per loop."""
