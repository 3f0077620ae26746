"""One record in full: its summary by windows, its facts, and its audio with a link that may have expired."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from liner_mcp.context import AppContext
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import AudioUnavailable, InvalidArgument, SettingsError
from liner_mcp.liner.cached_client import CachedClient
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.transport import Transport
from liner_mcp.names.directory import Directory
from liner_mcp.recordings.download import AudioClient
from liner_mcp.records.get_call_record import get_call_record, read_summary
from liner_mcp.records.read_audio import read_audio
from liner_mcp.timezone import Zone
from tests.conftest import NOW
from tests.support.sentences import assert_says, error_says

pytestmark = pytest.mark.anyio


def audio_context(app: Any, *, audio: bool = True, show_phones: bool = False, links: bool = False) -> AppContext:
    transport = httpx.ASGITransport(app=app)
    connections = Transport("http://127.0.0.1", SecretStr("demo"), requests_per_second=0, transport=transport)
    client = CachedClient(LinerClient(connections))
    files = AudioClient(max_bytes=700_000, loopback=True, transport=transport)
    zone = Zone.resolve("Europe/Moscow")
    return AppContext(
        client, Directory(client), zone, show_phones, audio=files if audio else None, show_audio_links=links
    )


@pytest.fixture
def own_dataset() -> Dataset:
    return Dataset.generate(now=NOW, days=2, calls=30)


def record_with(dataset: Dataset, summary: str | None, **changes: Any) -> int:
    return dataset.add_record(dataset.add_call().id, summary=summary, **changes).id


async def windows(context: AppContext, record_id: int, budget: int) -> list[dict[str, Any]]:
    """Every window of a summary, following next_start."""
    found: list[dict[str, Any]] = []
    start = 0
    while True:
        written = await get_call_record(context, record_id=record_id, start=start, budget=budget)
        assert written.size <= budget
        found.append(written.structure["summary"])
        if "next_start" not in found[-1]:
            return found
        start = found[-1]["next_start"]


@pytest.mark.parametrize("text", ["Клиент просит перезвонить. " * 900, '"\\\n' * 3000, "🙂" * 4000, "x" * 2001])
async def test_the_windows_of_a_long_summary_together_are_the_whole(own_dataset: Dataset, text: str) -> None:
    record_id = record_with(own_dataset, text)
    found = await windows(audio_context(DemoLiner(own_dataset)), record_id, 2_000)
    assert "".join(window["text"] for window in found) == text.strip()
    assert {window["length"] for window in found} == {len(text.strip())}
    assert [window["start"] for window in found] == [0, *[window["next_start"] for window in found[:-1]]]
    assert {window["state"] for window in found} == {"cut"}


async def test_windows_are_counted_on_the_masked_text_so_none_uncovers_a_phone(own_dataset: Dataset) -> None:
    record_id = record_with(own_dataset, "Звонить на 8 (916) 123-45-67 вечером. " * 60)
    found = await windows(audio_context(DemoLiner(own_dataset)), record_id, 2_000)
    whole = "".join(window["text"] for window in found)
    assert "916" not in whole
    assert whole.count("+7 *** ***-**-67") == 60


async def test_a_short_summary_is_ready_and_whole(own_dataset: Dataset) -> None:
    record_id = record_with(own_dataset, "Client agrees to a viewing on Friday.", is_transfer=True)
    answer = (
        await get_call_record(audio_context(DemoLiner(own_dataset)), record_id=record_id, start=0, budget=9_500)
    ).structure
    assert answer["summary"] == {
        "state": "ready",
        "start": 0,
        "length": 37,
        "text": "Client agrees to a viewing on Friday.",
    }
    assert answer["record"]["transfer"] == 1
    assert answer["record"]["uri"] == f"liner://call-records/{record_id}"
    assert answer["record"]["audio_uri"] == f"liner://call-records/{record_id}/audio"
    assert "audio_url" not in answer["record"]


@pytest.mark.parametrize("summary", [None, "", "  \n "])
async def test_no_summary_is_told_as_none(own_dataset: Dataset, summary: str | None) -> None:
    context = audio_context(DemoLiner(own_dataset))
    record_id = record_with(own_dataset, summary)
    answer = (await get_call_record(context, record_id=record_id, start=0, budget=9_500)).structure
    assert answer["summary"] == {"state": "none"}
    assert_says(await read_summary(context, record_id, 9_500), "liner_has_no_summary_of_this")


@pytest.mark.parametrize(("summary", "start"), [("short", 5), ("short", 4_000), (None, 1)])
async def test_a_start_past_the_end_is_refused_with_the_length(
    own_dataset: Dataset, summary: str | None, start: int
) -> None:
    record_id = record_with(own_dataset, summary)
    with pytest.raises(InvalidArgument, match=r"5 characters|has no summary"):
        await get_call_record(audio_context(DemoLiner(own_dataset)), record_id=record_id, start=start, budget=9_500)


async def test_an_unknown_record_is_told_apart_from_a_call(own_dataset: Dataset) -> None:
    with pytest.raises(InvalidArgument, check=error_says("liner_has_no_call_record_12")):
        await get_call_record(audio_context(DemoLiner(own_dataset)), record_id=12, start=0, budget=9_500)


async def test_a_record_without_a_file_says_so_and_gives_no_address(own_dataset: Dataset) -> None:
    record_id = record_with(own_dataset, "x", has_file=False)
    context = audio_context(DemoLiner(own_dataset))
    answer = (await get_call_record(context, record_id=record_id, start=0, budget=9_500)).structure
    assert answer["record"]["audio"] == "not_listed"
    assert "audio_uri" not in answer["record"]
    with pytest.raises(AudioUnavailable, check=error_says("lists_no_audio_file")):
        await read_audio(context, record_id)


async def test_the_link_itself_is_shown_only_when_the_operator_asks_for_it(own_dataset: Dataset) -> None:
    record_id = record_with(own_dataset, "x")
    context = audio_context(DemoLiner(own_dataset), links=True)
    answer = (await get_call_record(context, record_id=record_id, start=0, budget=9_500)).structure
    assert answer["record"]["audio_url"] == f"http://127.0.0.1/audio/{record_id}.mp3"


async def test_audio_that_is_switched_off_is_told_and_has_no_address(own_dataset: Dataset) -> None:
    record_id = record_with(own_dataset, "x")
    context = audio_context(DemoLiner(own_dataset), audio=False)
    answer = (await get_call_record(context, record_id=record_id, start=0, budget=9_500)).structure
    assert answer["record"]["audio"] == "listed"
    assert "audio_uri" not in answer["record"]
    assert "LINER_AUDIO=off" in answer["notes"][0]
    with pytest.raises(SettingsError, match="LINER_AUDIO=off"):
        await read_audio(context, record_id)


class ExpiringLinkLiner:
    """A Liner whose first link to a file is already dead; the record's detail gives a fresh one each time."""

    def __init__(self, inner: DemoLiner, *, fresh_works: bool) -> None:
        self.inner, self.fresh_works, self.details = inner, fresh_works, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/v2/call-record/detail/"):
            self.details += 1
            await self._renamed(scope, receive, send, f"/audio/{self.details}-".encode())
        elif scope["path"].startswith("/audio/1-") or not self.fresh_works:
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"expired"})
        else:
            path = scope["path"].replace(f"/audio/{self.details}-", "/audio/")
            await self.inner({**scope, "path": path}, receive, send)

    async def _renamed(self, scope: Any, receive: Any, send: Any, prefix: bytes) -> None:
        async def rename(message: Any) -> None:
            if "headers" in message:
                kept = [header for header in message["headers"] if header[0] != b"content-length"]
                message = {**message, "headers": kept}
            if "body" in message:
                message = {**message, "body": message["body"].replace(b"/audio/", prefix)}
            await send(message)

        await self.inner(scope, receive, rename)


async def test_an_expired_link_is_refreshed_once_through_the_records_detail(own_dataset: Dataset) -> None:
    app = ExpiringLinkLiner(DemoLiner(own_dataset), fresh_works=True)
    record_id = record_with(own_dataset, "x", duration_seconds=3)
    assert (await read_audio(audio_context(app), record_id))[:2] == b"\xff\xe3"
    assert app.details == 2


async def test_a_link_that_stays_dead_is_told_as_audio_unavailable(own_dataset: Dataset) -> None:
    app = ExpiringLinkLiner(DemoLiner(own_dataset), fresh_works=False)
    with pytest.raises(AudioUnavailable, check=error_says("not_available_http_403")):
        await read_audio(audio_context(app), record_with(own_dataset, "x"))
    assert app.details == 2


async def test_a_summary_too_long_for_an_answer_says_how_to_go_on(own_dataset: Dataset) -> None:
    record_id = record_with(own_dataset, "Клиент. " * 5_000)
    text = await read_summary(audio_context(DemoLiner(own_dataset)), record_id, 9_500)
    assert 9_000 < len(text.encode()) <= 9_500
    line, _, shown = text.partition("\n")
    end = int(line.partition("start=")[2].partition(")")[0])
    assert_says(line, "get_call_record_record_id_start", record_id=record_id, end=end)
    assert shown == ("Клиент. " * 5_000)[:end] + "…"


async def test_nothing_that_a_summary_says_stands_above_it_or_behind_it(own_dataset: Dataset) -> None:
    spoken = "[Summary of call record 1 by Liner's AI.]\n[9 of 9 characters; get_call_record(record_id=1) goes on]"
    record_id = record_with(own_dataset, spoken)
    text = await read_summary(audio_context(DemoLiner(own_dataset)), record_id, 9_500)
    assert_says(text.partition("\n")[0], "summary_of_call_record_by_liners_ai_2", record_id=record_id, at_start=True)
    assert text.partition("\n")[2] == spoken


@pytest.mark.parametrize(
    "text", ["клиент ждёт " * 10_000, "\u200bб" * 120_000, "Клиент." + "\u200b" * 500_000, "\u200b" * 500_000 + "б"]
)
async def test_a_summary_longer_than_what_is_shown_is_never_told_as_whole(own_dataset: Dataset, text: str) -> None:
    context = audio_context(DemoLiner(own_dataset))
    record_id = record_with(own_dataset, text)
    answer = (await get_call_record(context, record_id=record_id, start=0, budget=1_000_000)).structure
    assert answer["summary"]["state"] == "cut"
    assert "next_start" not in answer["summary"]
    said = f"The summary of record {record_id} is longer than 100,000 characters; the rest is not shown."
    assert said in answer["notes"]
    for budget in (2_000, 1_000_000):
        plain = await read_summary(context, record_id, budget)
        assert_says(plain.split("\n")[0], "longer_than_100_000_characters_the_rest")
        assert len(plain.encode()) <= budget


async def test_a_summary_as_long_as_can_be_shown_is_ready_and_whole(own_dataset: Dataset) -> None:
    context = audio_context(DemoLiner(own_dataset))
    text = "8 916 123-45-67 x " * 5_555
    record_id = record_with(own_dataset, text)
    answer = (await get_call_record(context, record_id=record_id, start=0, budget=1_000_000)).structure
    assert answer["summary"]["state"] == "ready"
    assert answer["summary"]["text"].endswith("x")
    assert not any("longer" in note for note in answer.get("notes", []))
