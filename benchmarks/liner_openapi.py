"""An OpenAPI description of the part of Liner's API that questions about calls need.

It is all that `FastMCP.from_openapi` gets, so it is as good as possible: it explains every parameter, the fields of
every answer, what cannot be requested, and which call comes next.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_ID: Schema = {"type": "integer", "minimum": 1}
_IDS: Schema = {"type": "array", "items": _ID}
_MOMENT: Schema = {"type": "string", "format": "date-time"}

_PAGING = "Paged: data.list, data.next (the next offset, null at the end) and data.total. In no order."
_CALL = (
    "A call has id, direction (outgoing or incoming), leadId, userId (the agent; null if none), orderId, statusCode, "
    "finishInitiator (who hung up: client, operator or system), waitTimeDurationSeconds, talkTimeDurationSeconds (0 if "
    "not answered), hasRecords (whether there is a recording) and createdAt (UTC)."
)
_RECORD = (
    "A record has id, userId (agent), leadId, isTransfer (the recording of handing the client to the sales desk), "
    "durationSeconds, fileUrl (the audio), recordSummary (an AI summary of the talk, or null) and createdAt (UTC)."
)


def _query(name: str, meaning: str, schema: Schema, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "description": meaning, "schema": schema}


def _paged() -> list[Schema]:
    return [
        _query("offset", "Index of the first item", {"type": "integer", "minimum": 0, "default": 0}),
        _query("limit", "Items per page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
    ]


def _get(operation: str, description: str, *parameters: Schema) -> Schema:
    answer = {"description": "The envelope", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "get": {
            "operationId": operation,
            "description": description,
            "parameters": list(parameters),
            "responses": {"200": answer},
        }
    }


def _one(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": _ID}


LINER: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Liner",
        "version": "2",
        "description": "Calls, call records and their summaries in Liner (linerapp.io), a dialler for call centres.",
    },
    "servers": [{"url": "http://127.0.0.1"}],
    "paths": {
        "/v2/call/": _get(
            "list_calls",
            f"Calls of some orders or leads in a time window. Name orderIds or leadIds: all calls are the calls of all "
            f"orders. {_CALL} {_PAGING} To count, ask with limit=1 and read data.total.",
            _query("createdAt[0]", "From this moment, ISO 8601 in UTC (inclusive)", _MOMENT, required=True),
            _query("createdAt[1]", "To this moment, ISO 8601 in UTC (inclusive)", _MOMENT, required=True),
            _query("orderIds[]", "Only these orders (projects)", _IDS),
            _query("leadIds[]", "Only these leads", _IDS),
            _query("userIds[]", "Only calls of these agents", _IDS),
            _query("statusIds[]", "Only these call statuses, by id", _IDS),
            *_paged(),
        ),
        "/v2/call/detail/{callId}/": _get("get_call", f"One call. {_CALL}", _one("callId")),
        "/v2/call-record/": _get(
            "list_call_records",
            f"The recordings of one call with their AI summaries. {_RECORD} {_PAGING}",
            _query("callId", "The call", _ID, required=True),
            *_paged(),
        ),
        "/v2/call-record/detail/{callRecordId}/": _get(
            "get_call_record", f"One recording. {_RECORD}", _one("callRecordId")
        ),
        "/v2/lead/detail/{leadId}/": _get(
            "get_lead", "One lead (a client's request): name, phone, statusId, orderId, createdAt.", _one("leadId")
        ),
        "/v2/order/": _get(
            "list_orders", f"All orders (clients' calling projects): id, code, title, agents. {_PAGING}", *_paged()
        ),
        "/v2/user/list/": _get(
            "list_users",
            f"Users: id, name, lastName, accessGroup (agents are call-center and call-center-senior), isActive. "
            f"{_PAGING}",
            _query(
                "accessGroup",
                "Only users of this role",
                {"enum": ["client", "call-center", "call-center-senior", "arbitration", "moderator", "admin"]},
            ),
            _query("isActive", "1: only active users; 0: only inactive ones", {"enum": [0, 1]}),
            *_paged(),
        ),
        "/v2/user/detail/{userId}/": _get("get_user", "One user, for example an agent by id.", _one("userId")),
        "/v2/agent-group/": _get(
            "list_agent_groups",
            f"Agent groups: id, names (ru, gb), agentIds. {_PAGING}",
            _query("agentId", "Only groups that hold this agent", _ID),
            *_paged(),
        ),
        "/v2/call-status/": _get(
            "list_call_statuses", "All call statuses: id (for statusIds), code (as in a call's statusCode), title."
        ),
        "/v2/lead-status/": _get("list_lead_statuses", "All lead statuses: id, code, title, category."),
    },
}
