"""A fake Liner that tries to get what is secret out of the server, and the ways to look for it afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, cast, get_args

from liner_mcp.calls.columns import Grouping, Includable
from liner_mcp.demo import DemoLiner
from tests.support.context import small_dataset

TOKEN = "tkn9f3c7a5be1d24860" + "fedcba9876543210" * 8
PHONES = ("8 916 765-43-21", "+79167654321")
CARD = "4111 1111 1111 1111"
EMAIL = "tamara.sekret@mail.ru"
FILE = "/recordings/0bscure-path-55.mp3?signature=0bscureSignature"
# A public address, as documentation's own count as private. Nothing is sent there: in memory all goes to the
# fake Liner, and what runs as a process is given an address on loopback instead.
FILE_URL = f"https://93.184.215.14{FILE}"
CONTACTS = f"{PHONES[0]} {PHONES[1]}, {EMAIL}, карта {CARD}"

_SECRETS = (
    *(TOKEN[i : i + 8] for i in range(0, len(TOKEN) - 7, 4)),
    "7654321", "765-43", "tamara", "sekret", "4111 1111", "41111111", "0bscure",
)  # fmt: skip

_TIMES = ("createdAt", "updatedAt")

QUOTES = (f"Клиент дал {CONTACTS}.", f"клиент {CONTACTS}", "Клиент дал +7 *** ***-**-21", f"нет {EMAIL}")

FAULTS = ("told", "quoted", "refused", "redirected", "failed", "garbage", "page", "wrong_field", "busy")


def find_leaks(text: str) -> list[str]:
    """Which secrets stand in a text, each with what is around it."""
    return [text[max(0, m.start() - 40) : m.end() + 20] for one in _SECRETS for m in re.finditer(re.escape(one), text)]


class LeakingLiner:
    """Liner full of secrets: in names, summaries, links and phones, and in everything that may go wrong.

    `fault` names what goes wrong now, with all requests that `faulty_pattern` fits.
    """

    def __init__(self) -> None:
        self.dataset = small_dataset()
        order = self.dataset.orders[0]
        self.call_id = self.dataset.add_call(order=order, agent=order.agent_user_ids[0]).id
        self.record_id = self.dataset.add_record(self.call_id, summary=f"Клиент дал {CONTACTS}.", duration_seconds=3).id
        self.demo = DemoLiner(self.dataset, token=TOKEN)
        self.file_url = FILE_URL
        self.fault: str | None = None
        self.faulty_pattern = "^/v2/"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path: str = scope["path"]
        if path.startswith("/recordings/"):
            await send_response(send, 302, b"", location=f"/0bscure-again?{TOKEN}")
        elif path.startswith("/0bscure"):
            await send_response(send, 200, f"no audio: {CONTACTS}".encode())
        elif self.fault is not None and re.search(self.faulty_pattern, path):
            await self._fail(send)
        else:
            await self._answer_with_secrets(scope, receive, send)

    async def _fail(self, send: Any) -> None:
        said = f"Key {TOKEN} of {CONTACTS} is not known, see {FILE_URL}"
        refusal = json.dumps({"success": False, "message": said, "data": None}).encode()
        told = json.dumps({"success": False, "message": f"Занято: {CONTACTS}", "data": None}).encode()
        wrong = json.dumps({"success": True, "data": {"list": [{"id": said}], "id": said}}).encode()
        status, body, headers = {
            "told": (200, told, {}),
            "quoted": (200, refusal, {}),
            "refused": (401, refusal, {"www-authenticate": f"Key {TOKEN}"}),
            "redirected": (302, b"", {"location": f"https://elsewhere.example/{TOKEN}?{EMAIL}"}),
            "failed": (500, refusal, {}),
            "garbage": (200, b'{"success":true,"data":' + said.encode(), {}),
            "page": (200, f"<html>{said}".encode(), {"set-cookie": f"session={TOKEN}"}),
            "wrong_field": (200, wrong, {}),
            "busy": (429, refusal, {"retry-after": "9999"}),
        }[self.fault or ""]
        await send_response(send, status, body, **headers)

    async def _answer_with_secrets(self, scope: Any, receive: Any, send: Any) -> None:
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        await self.demo(scope, receive, keep)
        envelope = json.loads(sent[1]["body"])
        for row in _rows(envelope.get("data")):
            for field in row:
                if field == "fileUrl":
                    row[field] = self.file_url
                elif field in ("name", "lastName", "title", "serviceTitle"):
                    row[field] = f"Тамара {CONTACTS}"
                elif field == "clientPhone":
                    row[field] = PHONES[1]
                elif field == "names":
                    row[field] = {"ru": f"Группа {CONTACTS}", "gb": f"Group {CONTACTS}"}
                elif isinstance(row[field], str) and field not in _TIMES:
                    row[field] = f"{row[field]} {CONTACTS}"  # codes and all other texts, equal in all objects
        if scope["path"].startswith("/v1/health"):
            envelope["data"] = {f"mail {CONTACTS}": {"success": False, "message": CONTACTS}}
        await send_response(send, sent[0]["status"], json.dumps(envelope).encode())

    @property
    def tool_calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Every tool, with arguments that fit and some that do not."""
        week = {"since": "-2d"}
        return [
            ("list_call_records", {"call_id": self.call_id, "summary_chars": 4000}),
            ("get_call_summaries", {"call_ids": [self.call_id, 12]}),
            ("get_call_record", {"record_id": self.record_id}),
            ("find_calls", {**week, "include": ["phone"]}),
            ("find_calls", {**week, "transferred": True}),
            ("find_calls", {**week, "sample": 3}),
            ("find_calls", {**week, "orders": ["Тамара"]}),
            ("find_calls", {**week, "agents": [CONTACTS]}),
            ("call_stats", {**week, "group_by": ["agent", "order"]}),
            *(("list_directory", {"kind": kind}) for kind in ("orders", "agents", "agent_groups", "call_statuses")),
            ("list_directory", {"kind": "lead_statuses"}),
        ]

    @property
    def more_tool_calls(self) -> list[tuple[str, dict[str, Any]]]:
        """The same with every column and grouping, and with secrets in the arguments."""
        week = {"since": "-2d"}
        return [
            *(("list_directory", {"kind": kind, "query": "тамара"}) for kind in ("orders", "agents")),
            ("find_calls", {**week, "include": get_args(Includable), "summary_chars": 4000}),
            ("find_calls", {**week, "include": get_args(Includable), "sort": "longest_talk"}),
            ("find_calls", {**week, "mentions": "клиент", "include": ["summary"]}),
            ("find_calls", {**week, "statuses": [f"callback {CONTACTS}"]}),
            ("find_calls", {**week, "statuses": ["absent"], "orders": [CONTACTS], "seed": CONTACTS, "sample": 2}),
            *(("call_stats", {**week, "group_by": [by], "include": ["records"]}) for by in get_args(Grouping)),
            ("call_stats", {**week, "mentions": CONTACTS}),
            ("check_quotes", {"quotes": [{"record_id": self.record_id, "quote": quote} for quote in QUOTES]}),
            ("list_call_records", {"call_id": CONTACTS, "cursor": CONTACTS}),
        ]

    @property
    def resource_uris(self) -> list[str]:
        """Every resource."""
        record = f"liner://call-records/{self.record_id}"
        return ["liner://guide", f"liner://calls/{self.call_id}", record, f"{record}/summary", f"{record}/audio"]


def _rows(data: Any) -> list[dict[str, Any]]:
    if isinstance(data, list):
        return cast("list[dict[str, Any]]", data)
    return cast("dict[str, Any]", data).get("list", [data]) if isinstance(data, dict) else []


async def send_response(send: Any, status: int, body: bytes, **headers: str) -> None:
    told: Iterable[tuple[bytes, bytes]] = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": [*told, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
