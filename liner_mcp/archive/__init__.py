"""The archive: a copy of settled calls, their records and summaries, for questions about months (LINER_ARCHIVE).

`sync` fills it day by day, `ArchivedReads` answers from it where it covers a window and asks Liner for the rest.
"""
