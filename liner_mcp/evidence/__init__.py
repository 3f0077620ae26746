"""Whether quotes are in a text."""
