"""Finds words in summaries, in any of their forms. Pure, except that `word_forms` loads a dictionary."""
