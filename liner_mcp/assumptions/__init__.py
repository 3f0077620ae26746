"""What the code assumes of Liner beyond its documentation, and how answers tell whether it is so."""
