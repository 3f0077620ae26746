"""The bends under which claims are known to be false, each with what is false. A correction removes its line."""

from __future__ import annotations

from collections.abc import Mapping

_ZERO = "A field that Liner leaves out is counted as zero or as no, and the answer says that it is complete."
_LEFT_OUT = "A filter that needs the missing field finds nothing, and the answer says that it is complete."
_NO_AGENT = "A missing agent is shown and counted as no agent."
_NOT_TRANSFERRED = "A call whose records cannot tell of a handover counts as not transferred."
_NOT_CALLED = "A name is said not to exist although not all names could be read."
_FIRST_PAGE = "An array without an envelope is taken for the whole list."
_STRAYED = "Calls from outside the window arrive, and the answer still says that it is complete."
_OTHER_RECORDS = "Records of other calls of the same lead are shown as records of the call."
_NO_SUMMARY = "A summary that Liner leaves out everywhere is shown as none."

KNOWN: Mapping[str, str] = {
    "calls without talkTimeDurationSeconds": _ZERO,
    "calls with talkTimeDurationSeconds null": _ZERO,
    "calls without hasRecords": _ZERO,
    "calls with hasRecords null": _ZERO,
    "hasRecords nowhere": _ZERO,
    "hasRecords nowhere + empty record lists": _ZERO,
    "calls without finishInitiator": _ZERO,
    "calls without statusCode": _ZERO,
    "calls without createdAt": "A note says that the window has no calls; their times are missing.",
    "calls without userId": _NO_AGENT,
    "userId nowhere in calls": _NO_AGENT,
    "agents ignored + calls without userId": _NO_AGENT,
    "records without userId": _NO_AGENT,
    "calls without leadId": _LEFT_OUT,
    "calls without orderId": _LEFT_OUT,
    "calls without direction": _LEFT_OUT,
    "empty record lists": _NOT_TRANSFERRED,
    "no total + record lists shorter than their total": _NOT_TRANSFERRED,
    "recordSummary nowhere": _NO_SUMMARY,
    "call lists shorter than their total": "A note says that there is no such call, another that not all were listed.",
    "order list shorter than its total": _NOT_CALLED,
    "user list shorter than its total": _NOT_CALLED,
    "agent groups shorter than their total": _NOT_CALLED,
    "agent groups forbidden": _NOT_CALLED,
    "agent groups unknown": _NOT_CALLED,
    "agent groups without agentIds": "A group whose members Liner leaves out is taken for a group without agents.",
    "bare arrays": _FIRST_PAGE,
    "pages of 20 + bare arrays": _FIRST_PAGE,
    "pages of 20, next beyond them": "A note says that no call can be drawn, another that not all were listed.",
    "pages of 20, next beyond them + no total": "Rows between a short page and its next are never asked for.",
    "window read three hours later": _STRAYED,
    "window read five hours earlier": _STRAYED,
    "callId read as its lead": _OTHER_RECORDS,
    "callId read as its lead + records without leadId": _OTHER_RECORDS,
    "no orders listed": "Without a list of orders the answer is zero calls and says that it is complete.",
    "new order after the order list was read": "A list of orders that is 90 seconds old is taken for all orders.",
    "incoming calls before their leads": "Calls of a lead are sought from its creation on; incoming calls precede it.",
}
