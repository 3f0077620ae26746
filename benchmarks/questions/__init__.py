"""The questions of a reviewer's week, in the order of the tables.

For each contestant a script does what a careful model has to do with its tools. The answer is compared with the data
of the demo Liner.
"""

from benchmarks.questions.asking import Question
from benchmarks.questions.calls import CALLS
from benchmarks.questions.counts import COUNTS
from benchmarks.questions.evidence import EVIDENCE
from benchmarks.questions.groups import GROUPS
from benchmarks.questions.names import NAMES
from benchmarks.questions.speech import SPEECH

QUESTIONS = (*SPEECH, *CALLS, *COUNTS, *NAMES, *EVIDENCE, *GROUPS)

__all__ = ["QUESTIONS", "Question"]
