"""The form of an answer: its table, its page and its cursor."""
