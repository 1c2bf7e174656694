"""A new site, ready to run: what `isthmus init` copies."""
