"""A fake Liner for tests and benchmarks: the demo Liner with faults, and with other readings of the documentation."""

from tests.fakes.api_variants import ApiVariant, DictionaryPaths, LastPage, RecordList
from tests.fakes.fake_liner import FakeLiner
from tests.fakes.faults import FAULTS, Every, Fault, First, Share

__all__ = [
    "FAULTS",
    "ApiVariant",
    "DictionaryPaths",
    "Every",
    "FakeLiner",
    "Fault",
    "First",
    "LastPage",
    "RecordList",
    "Share",
]
