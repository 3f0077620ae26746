"""What the code assumes of Liner beyond its documentation, and how a probe tests it."""
