"""The tools that search, sample and count calls."""
