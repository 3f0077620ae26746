"""The bends under which claims are known to be false, each with what is false. A correction removes its line."""

from __future__ import annotations

from collections.abc import Mapping

_ZERO = "A field that Liner leaves out is counted as zero or as no, and the answer says that it is complete."
_NOT_TRANSFERRED = "A call whose records cannot tell of a handover counts as not transferred."
_FIRST_PAGE = "An array without an envelope is taken for the whole list."
_STRAYED = "Calls from outside the window arrive, and the answer still says that it is complete."
_OTHER_RECORDS = "Records of other calls of the same lead are shown as records of the call."

KNOWN: Mapping[str, str] = {
    "hasRecords nowhere + empty record lists": _ZERO,
    "no total + record lists shorter than their total": _NOT_TRANSFERRED,
    "agent groups without agentIds": "A group whose members Liner leaves out is taken for a group without agents.",
    "pages of 20 + bare arrays": _FIRST_PAGE,
    "window read three hours later": _STRAYED,
    "callId read as its lead": _OTHER_RECORDS,
    "callId read as its lead + records without leadId": _OTHER_RECORDS,
    "new order after the order list was read": "A list of orders that is 90 seconds old is taken for all orders.",
}
