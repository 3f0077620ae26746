"""The form of an answer: its table, its size, its cursor."""
