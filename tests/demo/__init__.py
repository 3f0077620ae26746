"""The fake Liner is itself tested: a wrong fake would make wrong tests pass."""
