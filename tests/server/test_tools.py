"""The tools through the highest door: an MCP client, in both protocol eras."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, Implementation

from liner_mcp.answer.table import FullRecord
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import SettingsError
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings, read_settings
from tests.conftest import NOW, OpenSession, Session, assert_fits_schema, text_of
from tests.support.account import ACCOUNT
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio


# What is answered ----------------------------------------------------------------------------------------------------


async def test_both_channels_say_the_same_in_one_compact_text(connect: OpenSession) -> None:
    async with connect() as session:
        result = await session.call("get_call_summaries", call_ids=[7000101, 7000102, 7000103])
    text = text_of(result)
    assert json.loads(text) == result.structured_content
    assert text == json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))


async def test_the_structure_fits_the_published_output_schema(connect: OpenSession) -> None:
    async with connect() as session:
        tools = {tool.name: tool for tool in (await session.client.list_tools()).tools}
        for name, arguments in (
            ("list_call_records", {"call_id": 7003900}),
            ("get_call_summaries", {"call_ids": [7003900, 7003897, 12], "summary_chars": 50}),
            ("list_directory", {"kind": "agents"}),
        ):
            assert_fits_schema(await session.answer(name, **arguments), tools[name].output_schema)
        record = await session.answer("get_call_record", record_id=9002362)
        assert_fits_schema(record, tools["get_call_record"].output_schema, FullRecord)


@pytest.mark.parametrize(
    "call_ids",
    [
        7003900,
        "7003900",
        "7003900,7003898",
        "7003900; 7003898",
        "[7003900, 7003898]",
        [7003900, "7003898"],
        [7003900.0],
    ],
)
async def test_a_list_of_ids_is_understood_in_every_harmless_form(connect: OpenSession, call_ids: Any) -> None:
    async with connect() as session:
        answer = await session.answer("get_call_summaries", call_ids=call_ids)
    assert answer["rows"][0][0] == 7003900


async def test_a_cursor_alone_goes_on_and_the_pages_together_are_the_whole() -> None:
    dataset = Dataset.generate(now=NOW, days=2, calls=40)
    call = dataset.add_call()
    ids = [dataset.add_record(call.id, summary=f"Part {number}").id for number in range(7)]
    settings = Settings(**ACCOUNT, requests_per_second=0)
    async with Client(create_server(settings, transport=httpx.ASGITransport(app=DemoLiner(dataset)))) as client:
        session = Session(client)
        answer = await session.answer("list_call_records", call_id=call.id, limit=3)
        seen = [row[0] for row in answer["rows"]]
        while not answer["page"]["complete"]:
            answer = await session.answer("list_call_records", cursor=answer["page"]["next_cursor"], limit=2)
            seen += [row[0] for row in answer["rows"]]
    assert seen == ids
    assert answer["page"]["total"] == 7


async def test_an_empty_cursor_counts_as_none(connect: OpenSession) -> None:
    async with connect() as session:
        answer = await session.answer("list_call_records", call_id=7003900, cursor="")
    assert answer["page"]["returned"] == 2


@pytest.mark.parametrize(
    ("client", "small"),
    [("codex-mcp-client", True), ("github-copilot-cli", True), ("claude-ai", False), ("Visual Studio Code", False)],
)
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_hosts_that_cut_at_10_kb_get_smaller_pages(dataset: Dataset, client: str, small: bool, mode: Any) -> None:
    ids = [call.id for call in dataset.calls.values() if any(r.summary for r in dataset.records_of(call.id))][:90]
    settings = Settings(**ACCOUNT, requests_per_second=0)
    server = create_server(settings, transport=httpx.ASGITransport(app=DemoLiner(dataset)))
    async with Client(server, mode=mode, client_info=Implementation(name=client, version="1")) as connected:
        size = len(text_of(await Session(connected).call("get_call_summaries", call_ids=ids)).encode())
    assert (size <= 9_500) is small
    assert size <= 24_000


# What is refused -----------------------------------------------------------------------------------------------------

BAD_IDS: list[Any] = [0, -5, "text", True, 2**63, 2**53, 1.5, [7000123], {"id": 1}, "7000123 or so", "9" * 5000]


@pytest.mark.parametrize("call_id", BAD_IDS, ids=lambda value: str(value)[:20])
async def test_an_id_that_is_none_is_refused_in_one_sentence(connect: OpenSession, call_id: Any) -> None:
    async with connect() as session:
        sentence = await session.refusal("list_call_records", call_id=call_id)
    assert_says(sentence, "call_id_it_must_be_a", at_start=True)
    assert sentence.endswith(" is not.")
    assert len(sentence) < 150


@pytest.mark.parametrize(
    ("call_ids", "words"),
    [
        ([], "it_is_empty_send_at_least"),
        ("", "it_is_missing"),
        (list(range(1, 102)), "it_holds_101_entries_send_at"),
        ([7000123, True], "it_must_be_a_whole_number"),
        ([7000123, 0], "0_is_not"),
        ("7000123,x", "x_is_not"),
        (None, "it_is_missing"),
        ([[7000123]], "7000123_is_not"),
        ({"a": 1}, "a_1_is_not"),
    ],
)
async def test_a_list_of_ids_that_is_none_is_refused_in_one_sentence(
    connect: OpenSession, call_ids: Any, words: str
) -> None:
    async with connect() as session:
        sentence = await session.refusal("get_call_summaries", call_ids=call_ids)
    assert sentence.startswith("call_ids: ")
    assert_says(sentence, words)
    assert "validation error" not in sentence
    assert "pydantic" not in sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, recorded("call_id_is_missing_say_which")),
        ({"call_id": ""}, recorded("call_id_is_missing_say_which")),
        (
            {"call_id": 7000123, "limt": 5},
            (recorded("list_call_records_has_no_argument")),
        ),
        ({"call_id": 7000123, "limit": -1}, recorded("limit_it_must_be_a_whole_number_from")),
        ({"call_id": 7000123, "limit": 1000}, recorded("limit_it_must_be_a_whole_number_from_1")),
        ({"call_id": 7000123, "limit": True}, recorded("limit_it_must_be_a_whole_number_from_1_to")),
        (
            {"call_id": 7000123, "summary_chars": -1},
            recorded("summary_chars_it_must_be_a"),
        ),
        ({"call_id": 7000123, "cursor": 5}, recorded("cursor_it_must_be_text_5")),
        (
            {"call_id": 7009999},
            recorded("liner_has_no_call_7009999"),
        ),
    ],
)
async def test_bad_arguments_get_one_sentence_with_the_next_step(
    connect: OpenSession, arguments: dict[str, Any], sentence: str
) -> None:
    async with connect() as session:
        assert await session.refusal("list_call_records", **arguments) == sentence


@pytest.mark.parametrize("value", [1, "x", "", None, {"a": 1}, []], ids=str)
async def test_every_tool_refuses_arguments_that_it_does_not_publish(connect: OpenSession, value: Any) -> None:
    """The schemas do not say so, for some clients cannot convert `additionalProperties`."""
    async with connect() as session:
        for tool in (await session.client.list_tools()).tools:
            known = list(tool.input_schema["properties"])
            quotes = [{"record_id": 9002362, "quote": "a"}]
            needed = {"call_ids": [7003900], "record_id": 9002362, "quotes": quotes}
            arguments = {name: needed[name] for name in tool.input_schema.get("required", ())}
            sentence = await session.refusal(tool.name, **arguments, surprise=value)
            assert sentence == recorded(
                "has_no_argument_surprise_it_takes", tool_name=tool.name, known=", ".join(known)
            )
            sentence = await session.refusal(tool.name, **arguments, **{f"{known[0]}x": value})
            assert_says(sentence, "did_you_mean", known_0=known[0])


@pytest.mark.parametrize("cursor", ["garbage", "AAAA", "é", "x" * 10_000, "AAAAAAAAAAAAAAAAAAAAAAAA"])
async def test_a_garbage_cursor_is_refused_with_the_way_back(connect: OpenSession, cursor: str) -> None:
    async with connect() as session:
        sentence = await session.refusal("list_call_records", call_id=7003900, cursor=cursor)
    assert_says(sentence, "cursor_cannot_be_read", at_start=True)
    assert "without cursor" in sentence


async def test_a_cursor_of_another_call_is_refused_and_names_both(connect: OpenSession) -> None:
    async with connect() as session:
        cursor = (await session.answer("list_call_records", call_id=7003900, limit=1))["page"]["next_cursor"]
        sentence = await session.refusal("list_call_records", call_id=7003898, cursor=cursor)
    assert_says(sentence, "belongs_to_call_7003900_but_call")


async def test_an_unknown_tool_is_a_fault_of_the_protocol(connect: OpenSession) -> None:
    async with connect() as session:
        with pytest.raises(MCPError) as raised:
            await session.client.call_tool("delete_call", {})
    assert raised.value.error.code == INVALID_PARAMS
    assert "list_call_records" in raised.value.error.message


# What goes wrong on the way ------------------------------------------------------------------------------------------


async def test_a_wrong_token_is_told_with_the_variable_to_check(connect: OpenSession, dataset: Dataset) -> None:
    async with connect(DemoLiner(dataset, token="another")) as session:
        for tool, arguments in (("list_call_records", {"call_id": 1}), ("get_call_summaries", {"call_ids": [1, 2]})):
            sentence = await session.refusal(tool, **arguments)
            assert_says(sentence, "liner_refuses_access_http_401", at_start=True)
            assert "LINER_API_TOKEN" in sentence


@pytest.mark.virtual_time
@pytest.mark.usefixtures("network_without_dns")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_host_that_does_not_resolve_is_told_with_the_variable_to_check(mode: Any) -> None:
    settings = read_settings(api_host="liner.invalid", api_token="demo", deadline_seconds=10)
    async with Client(create_server(settings), mode=mode) as client:
        sentence = await Session(client).refusal("list_call_records", call_id=7000123)
    assert sentence == recorded("the_host_in_liner_api_host")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_without_settings_the_tools_are_listed_and_each_call_says_what_to_set(mode: Any) -> None:
    async with Client(create_server(Settings()), mode=mode) as client:
        assert len((await client.list_tools()).tools) >= 2
        sentence = await Session(client).refusal("get_call_summaries", call_ids=[7000123])
    assert_says(sentence, "set_liner_api_host")
    assert "LINER_API_TOKEN" in sentence


async def test_unusable_settings_are_told_by_each_call() -> None:
    async with Client(create_server(SettingsError("LINER_CONCURRENCY cannot be used: no number."))) as client:
        assert len((await client.list_tools()).tools) >= 2
        assert "LINER_CONCURRENCY" in await Session(client).refusal("list_call_records", call_id=1)


@pytest.mark.virtual_time
async def test_nothing_hangs_past_the_deadline(connect: OpenSession) -> None:
    async def silent(*_: Any) -> None:
        await anyio.sleep_forever()

    async with connect(silent, deadline_seconds=0.2) as session:
        sentence = await session.refusal("list_call_records", call_id=7000123)
    assert "in time" in sentence or "within 0.2 s" in sentence or recorded("time_of_this_call_was_up") in sentence


async def test_a_bug_of_ours_is_told_by_its_place_only(
    connect: OpenSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("+7 916 123-45-67 said something private")

    monkeypatch.setattr("liner_mcp.server.answering.list_call_records", broken)
    with caplog.at_level(logging.DEBUG):
        async with connect() as session:
            sentence = await session.refusal("list_call_records", call_id=7000123)
    assert_says(sentence, "bug_in_liner_mcp")
    assert "KeyError at test_tools.py:" in sentence
    assert "916" not in sentence + caplog.text


@pytest.mark.parametrize("nothing", [None, "", " ", "null", " NULL ", [], "[]"])
async def test_an_optional_argument_that_is_sent_as_nothing_means_its_default(
    connect: OpenSession, nothing: Any
) -> None:
    async with connect() as session:
        for tool, needed, optional in (
            ("list_call_records", {"call_id": 7003900}, ("limit", "cursor", "summary_chars")),
            ("get_call_summaries", {"call_ids": [7003900]}, ("summary_chars",)),
            ("get_call_record", {"record_id": 9002362}, ("start",)),
            (
                "find_calls",
                {"since": "today"},
                ("until", "orders", "leads", "direction", "recorded", "sample", "seed", "limit", "include", "cursor"),
            ),
            ("call_stats", {"since": "today"}, ("agents", "statuses", "hung_up_by", "transferred")),
            ("list_directory", {"kind": "agents"}, ("query", "cursor")),
        ):
            plain = await session.answer(tool, **needed)
            assert await session.answer(tool, **needed, **dict.fromkeys(optional, nothing)) == plain
        if nothing not in ([], "[]"):  # an empty list of groups is a wish
            plain = await session.answer("call_stats", since="today")
            assert await session.answer("call_stats", since="today", group_by=nothing) == plain


@pytest.mark.parametrize("nothing", [None, "", "null"])
@pytest.mark.parametrize(
    ("tool", "argument", "words"),
    [
        ("get_call_summaries", "call_ids", "it_is_missing"),
        ("get_call_record", "record_id", "it_is_missing"),
        ("list_directory", "kind", "kind_is_missing_it_is_one"),
    ],
)
async def test_an_argument_that_is_needed_is_missing_when_it_is_sent_as_nothing(
    connect: OpenSession, tool: str, argument: str, words: str, nothing: Any
) -> None:
    async with connect() as session:
        sentence = await session.refusal(tool, **{argument: nothing})
        assert sentence == await session.refusal(tool)
    assert_says(sentence, words)


@pytest.mark.parametrize("zero", [0, "0", 0.0])
async def test_0_rows_and_a_sample_of_0_mean_that_none_was_sent(connect: OpenSession, zero: Any) -> None:
    async with connect() as session:
        plain = await session.answer("find_calls", since="today")
        assert await session.answer("find_calls", since="today", limit=zero, sample=zero) == plain
        plain = await session.answer("list_call_records", call_id=7003900)
        assert await session.answer("list_call_records", call_id=7003900, limit=zero) == plain
        assert_says(await session.refusal("find_calls", limit=False), "false_is_not", at_end=True)


async def test_0_seconds_of_talk_are_a_wish(connect: OpenSession) -> None:
    async with connect() as session:
        answer = await session.answer("find_calls", since="today", max_talk_seconds=0)
    assert answer["asked"] == {"max_talk_seconds": 0}
    assert answer["every_row"]["talk_seconds"] == 0


@pytest.mark.parametrize("nothing", [[None], ["null"], ["Anna Petrova", "NULL"], "[null]"])
async def test_null_in_a_list_is_refused_with_what_to_send_instead(connect: OpenSession, nothing: Any) -> None:
    async with connect() as session:
        assert await session.refusal("find_calls", agents=nothing) == recorded("agents_null_is_neither_send_no_agent")
        assert await session.refusal("call_stats", orders=nothing) == recorded("orders_null_is_neither_leave_it_out")
        assert await session.refusal("call_stats", statuses=nothing) == recorded("statuses_null_is_neither")
        assert (await session.refusal("find_calls", leads=nothing)).startswith("leads: ")
        assert (await session.refusal("find_calls", include=nothing)).startswith("include: ")


@pytest.mark.parametrize(
    ("filters", "asked"),
    [
        ({"agents": "101;104"}, {"agents": [101, 104]}),
        ({"orders": "[201, 202]"}, {"orders": [201, 202]}),
        ({"orders": 201}, {"orders": [201]}),
        ({"leads": "1,2,3"}, {"leads": [1, 2, 3]}),
        ({"agents": "Anna Petrova, игорь соколов"}, {"agents": [101, 104]}),
        ({"agents": '["Anna Petrova", "104"]'}, {"agents": [101, 104]}),
        ({"agents": "['Anna Petrova', 'no agent']"}, {"agents": ["no agent", 101]}),
        ({"statuses": "Недозвон; call_back"}, {"statuses": ["no_answer", "call_back"]}),
        ({"orders": "sunrise park; 202"}, {"orders": [201, 202]}),
        ({"agents": "No_Agent "}, {"agents": ["no agent"]}),
        ({"direction": " Incoming "}, {"direction": "incoming"}),
        ({"recorded": " TRUE "}, {"recorded": True}),
    ],
    ids=str,
)
async def test_every_spelling_of_a_filter_means_the_same(
    connect: OpenSession, filters: dict[str, Any], asked: dict[str, Any]
) -> None:
    async with connect() as session:
        assert (await session.answer("call_stats", since="-24H ", until="Now", **filters))["asked"] == asked


@pytest.mark.parametrize("number", [True, False, 2**53, str(2**53), 2**63, 1.5, -1, 0])
async def test_an_id_among_names_that_is_none_is_refused(connect: OpenSession, number: Any) -> None:
    async with connect() as session:
        for argument in ("orders", "agents", "statuses"):
            assert (await session.refusal("find_calls", **{argument: [number]})).startswith(f"{argument}: ")


async def test_a_listing_is_searched_by_a_number(connect: OpenSession) -> None:
    async with connect() as session:
        answers = [await session.answer("list_directory", kind="orders", query=query) for query in (201, "201", 201.0)]
    assert [answer["rows"] for answer in answers] == [answers[0]["rows"]] * 3
    assert answers[0]["rows"][0][0] == 201


async def test_calls_without_an_agent_can_be_requested_alone_and_beside_names(
    connect: OpenSession, dataset: Dataset
) -> None:
    async with connect() as session:
        counted = {
            agents: await session.answer("call_stats", since="-3d", group_by="order", agents=agents)
            for agents in ("no agent", "Anna Petrova", "Anna Petrova, no agent")
        }
        found = await session.answer("find_calls", since="-3d", agents=["no agent"], limit=3)
        further = await session.answer("find_calls", cursor=found["page"]["next_cursor"])
        sample = await session.answer("find_calls", since="-3d", agents="no agent", recorded=False, sample=5)
    recent = [call for call in dataset.calls.values() if call.created_at >= NOW - timedelta(days=3)]
    without_agent, anna = (sum(call.user_id == one for call in recent) for one in (None, 101))
    assert [answer["totals"]["calls"] for answer in counted.values()] == [without_agent, anna, without_agent + anna]
    for answer in (found, further, sample):
        assert answer["asked"]["agents"] == ["no agent"]
        assert answer["every_row"]["agent_id"] is None
        assert answer["names"]["agents"] == {"null": "no agent"}
        assert "agents" in answer["page"]["local_filters"]
    assert not {row[0] for row in found["rows"]} & {row[0] for row in further["rows"]}
