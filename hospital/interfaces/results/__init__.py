"""Results of the laboratory and other diagnostic services."""
