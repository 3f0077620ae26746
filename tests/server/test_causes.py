"""What answers in place of Liner is told as what it is, by every tool and resource: no id is called unknown."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import MCPError

from liner_mcp.demo import Dataset
from tests.conftest import OpenSession, Session
from tests.fakes import FakeLiner
from tests.fault_matrix.oracle import check_sentence
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

PAGE = b"<!DOCTYPE html><title>404 Not Found</title>"
OF_ID = b'{"success":false,"message":"Not found.","data":null}'
OF_ROUTE = b'{"success":false,"message":"Route not found.","data":null}'
OF_ADDRESS = b'{"success":false,"message":"IP 203.0.113.77 is not in the allow list","data":null}'
OF_KEY = b'{"success":false,"message":"IP 10.1.2.3 is not allowed for this API key"}'
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("find_calls", {"since": "-2d"}),
    ("find_calls", {"since": "-2d", "orders": [201]}),
    ("find_calls", {"since": "-2d", "agents": ["Anna"]}),
    ("find_calls", {"since": "-2d", "statuses": ["Missed"]}),
    ("find_calls", {"since": "-2d", "sample": 3}),
    ("find_calls", {"leads": [5]}),
    ("find_calls", {"leads": [5], "since": "-2d"}),
    ("call_stats", {"since": "-2d"}),
    ("call_stats", {"since": "-2d", "orders": [201]}),
    ("list_call_records", {"call_id": 7_000_001}),
    ("get_call_summaries", {"call_ids": [7_000_001]}),
    ("get_call_summaries", {"call_ids": list(range(7_000_001, 7_000_021))}),
    ("get_call_record", {"record_id": 9_000_001}),
    *(("list_directory", {"kind": kind}) for kind in ("orders", "agents", "agent_groups", "call_statuses")),
    ("list_directory", {"kind": "lead_statuses"}),
]
RESOURCES = [
    "liner://calls/7000001",
    "liner://call-records/9000001",
    "liner://call-records/9000001/summary",
    "liner://call-records/9000001/audio",
]


class MovedPermanently:
    """Answers every path alike, as another server at the address of Liner would."""

    def __init__(self, status: int, body: bytes, **headers: str) -> None:
        self.status, self.body = status, body
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, _: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


async def sentences(session: Session) -> list[str]:
    """What every tool and every resource says."""
    told = [await session.refusal(tool, **arguments) for tool, arguments in ASKED]
    for uri in RESOURCES:
        with pytest.raises(MCPError) as raised:
            await session.client.read_resource(uri)
        told.append(raised.value.error.message)
    return told


@pytest.mark.parametrize(
    ("elsewhere", "said"),
    [
        (MovedPermanently(404, PAGE), "liner_api_host_does_not_lead"),
        (MovedPermanently(404, b""), "liner_api_host_does_not_lead"),
        (MovedPermanently(404, b'{"detail":"Not Found"}'), "liner_api_host_does_not_lead"),
        (MovedPermanently(410, PAGE), "liner_api_host_does_not_lead"),
        (MovedPermanently(405, PAGE), "liner_api_host"),
        (MovedPermanently(200, PAGE), "liner_api_host"),
        (MovedPermanently(200, b""), "liner_api_host"),
        (MovedPermanently(200, b'{"status":"ok"}'), "liner_api_host"),
        (MovedPermanently(302, b"", location="https://login.example.com/start"), "another_host_login_example_com"),
        (MovedPermanently(302, b"", location="/login"), "liner_api_host_redirects_in_a"),
        (
            MovedPermanently(403, PAGE),
            "something_in_front_of_liner_a",
        ),
        (
            MovedPermanently(401, PAGE),
            "something_in_front_of_liner_a",
        ),
        (MovedPermanently(403, OF_ADDRESS), "http_403_ip_is_not_in"),
        (MovedPermanently(403, OF_KEY), "http_403_ip_10_1_2"),
        (MovedPermanently(302, b"", location="https://login.example.com:port/"), "something_that_is_no_web_address"),
        (MovedPermanently(404, b"\xef\xbb\xbf<html>"), "http_404_with_a_web_page"),
        (MovedPermanently(403, b'{"success":false,"message":""}'), "liner_does_not_accept_the_token"),
        (MovedPermanently(451, PAGE), "something_in_front_of_liner_a"),
        (MovedPermanently(406, PAGE), "which_firewall_or_proxy_answers_there"),
        (MovedPermanently(418, PAGE), "which_firewall_or_proxy_answers_there"),
        (MovedPermanently(413, PAGE), "the_request_is_too_long"),
        (MovedPermanently(414, PAGE), "the_request_is_too_long"),
        (MovedPermanently(414, b""), "the_request_is_too_long"),
        (MovedPermanently(431, b"Request Header Fields Too Large"), "the_request_is_too_long"),
        (MovedPermanently(511, PAGE), "the_network_wants_a_login"),
    ],
    ids=lambda value: f"{value.status} {value.body[:20]}" if isinstance(value, MovedPermanently) else "",
)
async def test_every_tool_and_resource_names_the_cause(
    connect: OpenSession, elsewhere: MovedPermanently, said: str
) -> None:
    async with connect(elsewhere) as session:
        for sentence in await sentences(session):
            check_sentence(sentence)
            assert_says(sentence, said)
            assert "under this id" not in sentence
            assert "has no call" not in sentence


async def test_a_liner_that_knows_no_path_is_told_by_its_own_words_and_no_id_is_unknown(
    connect: OpenSession,
) -> None:
    async with connect(MovedPermanently(404, OF_ROUTE)) as session:
        for sentence in await sentences(session):
            assert_says(sentence, "http_404_route_not_found")
            assert "LINER_API_HOST" in sentence


async def test_where_every_id_is_unknown_the_answer_says_that_it_may_be_the_address(connect: OpenSession) -> None:
    async with connect(MovedPermanently(404, OF_ID)) as session:
        told = [
            await session.refusal("list_call_records", call_id=5),
            await session.refusal("get_call_record", record_id=5),
            await session.refusal("find_calls", leads=[5]),
            await session.refusal("call_stats", leads=[5]),
            *(await session.answer("get_call_summaries", call_ids=[5, 6]))["notes"][:1],
        ]
    for sentence in told:
        assert_says(sentence, "liner_api_host_or_the_token")


@pytest.mark.parametrize("tool", ["find_calls", "call_stats"])
@pytest.mark.parametrize("moment", ["2026-11-20T10:00:00Z", "2026-11-19T00:00:00+03:00"])
async def test_a_window_that_begins_where_it_ends_is_called_empty(
    connect: OpenSession, dataset: Dataset, tool: str, moment: str
) -> None:
    async with connect(FakeLiner(dataset)) as session:
        sentence = await session.refusal(tool, since=moment, until=moment)
    check_sentence(sentence)
    assert_says(sentence, "the_window_is_empty", at_start=True)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("find_calls", {}, "no_such_call_try_another_window"),
        ("call_stats", {}, "liner_has_no_call_of_these_leads"),
        ("find_calls", {"sample": 3}, "no_call_of_this_window_can"),
    ],
)
async def test_where_the_lead_is_the_only_filter_no_filter_is_to_be_relaxed(
    connect: OpenSession, dataset: Dataset, tool: str, arguments: dict[str, Any], said: str
) -> None:
    lead = min(dataset.leads)
    async with connect(FakeLiner(dataset)) as session:
        answer = await session.answer(tool, leads=[lead], since="2025-01-01", until="2025-01-02", **arguments)
    assert answer["rows"] == []
    assert_says(answer["notes"], said, at_end=tool != "find_calls")
    assert "fewer filters" not in " ".join(answer["notes"])
