"""The reference hospital: a whole site to read, to run (`isthmus demo`) and to begin one's own from (`isthmus init`)."""
