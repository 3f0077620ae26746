"""The bends under which claims are known to be false, each with what is false. A correction removes its line."""

from __future__ import annotations

from collections.abc import Mapping

_NOT_TRANSFERRED = "A call whose records cannot tell of a handover counts as not transferred."
_STRAYED = "Calls from outside the window arrive, and the answer still says that it is complete."
_OTHER_RECORDS = "Records of other calls of the same lead are shown as records of the call."

KNOWN: Mapping[str, str] = {
    "no total + record lists shorter than their total": _NOT_TRANSFERRED,
    "window read three hours later": _STRAYED,
    "callId read as its lead": _OTHER_RECORDS,
    "callId read as its lead + records without leadId": _OTHER_RECORDS,
}
