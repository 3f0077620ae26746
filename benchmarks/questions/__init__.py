"""The questions of a reviewer's week, in the order in which they are told.

Each is put to every contestant by a script that does what a careful model must do with the tools it has, and the final
answer is checked against the fake Liner's data itself.
"""

from benchmarks.questions.asking import Question
from benchmarks.questions.calls import CALLS
from benchmarks.questions.counts import COUNTS
from benchmarks.questions.names import NAMES
from benchmarks.questions.speech import SPEECH

QUESTIONS = (*SPEECH, *CALLS, *COUNTS, *NAMES)

__all__ = ["QUESTIONS", "Question"]
