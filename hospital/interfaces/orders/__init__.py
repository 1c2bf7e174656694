"""Orders to the laboratory, and what the laboratory answers later."""
