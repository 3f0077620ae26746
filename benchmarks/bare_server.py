"""A simple server on the bare SDK, the baseline of every comparison: a tool per endpoint that returns Liner's `data`.

It has the savings that need no work: minified JSON, UTF-8, one text without a copy, names without brackets, and no
envelope.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import httpx
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

Ids = Annotated[list[int] | None, Field(description="Only these ids")]
From = Annotated[str, Field(description="From this moment, ISO 8601 in UTC (inclusive)")]
To = Annotated[str, Field(description="To this moment, ISO 8601 in UTC (inclusive)")]
Next = Annotated[int, Field(description="next of the page before")]
Limit = Annotated[int, Field(description="Items per page, at most 100")]


async def _get(liner: httpx.AsyncClient, path: str, **query: str | int | list[int] | None) -> str:
    pairs: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in query.items():
        if isinstance(value, list):
            pairs += [(f"{name}[]", one) for one in value]
        elif value is not None:
            pairs.append((name, value))
    body = (await liner.get(path, params=pairs)).json()
    if not body["success"]:
        raise ToolError(body["message"])
    return json.dumps(body["data"], ensure_ascii=False, separators=(",", ":"))


def bare_server(liner: httpx.AsyncClient) -> MCPServer[Any]:
    """Create the server for a client that has Liner's address and key."""
    server: MCPServer[Any] = MCPServer("liner", version="0.1.0", log_level="CRITICAL")

    @server.tool(structured_output=False)
    async def list_calls(
        created_from: From,
        created_to: To,
        order_ids: Ids = None,
        lead_ids: Ids = None,
        user_ids: Ids = None,
        status_ids: Ids = None,
        cursor: Next = 0,
        limit: Limit = 50,
    ) -> str:
        """Calls of some orders or leads in a time window, in no order; name order_ids or lead_ids. userId is the agent,
        finishInitiator who hung up, talkTimeDurationSeconds 0 if not answered. total counts them all: limit=1 counts.
        """
        filters = {"orderIds": order_ids, "leadIds": lead_ids, "userIds": user_ids, "statusIds": status_ids}
        window = {"createdAt[0]": created_from, "createdAt[1]": created_to}
        return await _get(liner, "/v2/call/", **window, **filters, offset=cursor, limit=limit)

    @server.tool(structured_output=False)
    async def get_call(call_id: int) -> str:
        """One call."""
        return await _get(liner, f"/v2/call/detail/{call_id}/")

    @server.tool(structured_output=False)
    async def list_call_records(call_id: int, cursor: Next = 0, limit: Limit = 50) -> str:
        """The recordings of one call; recordSummary is an AI summary or null, isTransfer a hand-over to sales."""
        return await _get(liner, "/v2/call-record/", callId=call_id, offset=cursor, limit=limit)

    @server.tool(structured_output=False)
    async def get_call_record(record_id: int) -> str:
        """One recording."""
        return await _get(liner, f"/v2/call-record/detail/{record_id}/")

    @server.tool(structured_output=False)
    async def get_lead(lead_id: int) -> str:
        """One lead: name, phone, statusId, orderId, createdAt."""
        return await _get(liner, f"/v2/lead/detail/{lead_id}/")

    @server.tool(structured_output=False)
    async def list_orders(cursor: Next = 0, limit: Limit = 50) -> str:
        """All orders (clients' calling projects)."""
        return await _get(liner, "/v2/order/", offset=cursor, limit=limit)

    @server.tool(structured_output=False)
    async def list_users(access_group: str | None = None, cursor: Next = 0, limit: Limit = 50) -> str:
        """Users; agents have the access_group call-center or call-center-senior."""
        return await _get(liner, "/v2/user/list/", accessGroup=access_group, offset=cursor, limit=limit)

    @server.tool(structured_output=False)
    async def get_user(user_id: int) -> str:
        """One user, for example an agent by id."""
        return await _get(liner, f"/v2/user/detail/{user_id}/")

    @server.tool(structured_output=False)
    async def list_agent_groups(agent_id: int | None = None, cursor: Next = 0, limit: Limit = 50) -> str:
        """Agent groups with their agentIds; agent_id: only groups that hold this agent."""
        return await _get(liner, "/v2/agent-group/", agentId=agent_id, offset=cursor, limit=limit)

    @server.tool(structured_output=False)
    async def list_call_statuses() -> str:
        """All call statuses: id (for status_ids), code (a call's statusCode), title."""
        return await _get(liner, "/v2/call-status/")

    @server.tool(structured_output=False)
    async def list_lead_statuses() -> str:
        """All lead statuses: id, code, title, category."""
        return await _get(liner, "/v2/lead-status/")

    _ = (
        list_calls, get_call, list_call_records, get_call_record, get_lead, list_orders, list_users, get_user,
        list_agent_groups, list_call_statuses, list_lead_statuses,
    )  # fmt: skip  # the decorator keeps them; this line shows a type checker that they are used
    return server
