"""The tools `search` and `fetch` of ChatGPT's connectors, with LINER_CHATGPT."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from liner_mcp.demo import Dataset
from tests.conftest import NOW, OpenSession, text_of
from tests.fakes import FakeLiner
from tests.support.context import small_dataset

pytestmark = pytest.mark.anyio


@pytest.fixture
def dataset() -> Dataset:
    return small_dataset()


def add(dataset: Dataset, summary: str | None, *, days: int = 1, **call: Any) -> int:
    """A recorded call, some days ago. Returns the id of its record."""
    made = dataset.add_call(created_at=NOW - timedelta(days=days), has_records=True, **call)
    return dataset.add_record(made.id, summary=summary).id


async def test_both_tools_are_listed_only_when_they_are_asked_for(connect: OpenSession) -> None:
    async with connect() as session:
        listed = [tool.name for tool in (await session.client.list_tools()).tools]
    async with connect(chatgpt=True) as session:
        with_both = [tool.name for tool in (await session.client.list_tools()).tools]
    assert with_both == [*listed, "search", "fetch"]


async def test_a_search_gives_documents_that_can_be_fetched(connect: OpenSession, dataset: Dataset) -> None:
    record_id = add(dataset, "Клиент спрашивает про теплицы и фазенду.", order=dataset.orders[0])
    async with connect(FakeLiner(dataset), chatgpt=True) as session:
        found = await session.call("search", query="фазенда")
        assert json.loads(text_of(found)) == found.structured_content
        (result,) = json.loads(text_of(found))["results"]
        document = await session.answer("fetch", id=result["id"])
    assert result["id"] == str(record_id)
    assert result["url"] == f"liner://call-records/{record_id}"
    assert (dataset.orders[0].title or "") in result["title"]
    assert "фазенду" in result["text"]
    assert document["id"] == result["id"]
    assert document["title"] == result["title"]
    assert "Клиент спрашивает про теплицы и фазенду." in document["text"]
    assert document["metadata"]["summary_state"] == "ready"


async def test_a_sentence_finds_the_recordings_with_some_of_its_words(connect: OpenSession, dataset: Dataset) -> None:
    record_id = add(dataset, "Клиент выращивает теплицы.")
    async with connect(FakeLiner(dataset), chatgpt=True) as session:
        found = await session.answer("search", query="Who said something (anything!) about теплица OR фазенда?")
    assert str(record_id) in [one["id"] for one in found["results"]]


async def test_a_search_that_finds_nothing_is_empty(connect: OpenSession, dataset: Dataset) -> None:
    async with connect(FakeLiner(dataset), chatgpt=True) as session:
        assert await session.answer("search", query="шуруповёрт") == {"results": []}


async def test_nothing_found_in_a_part_is_not_nothing(connect: OpenSession, dataset: Dataset) -> None:
    made = dataset.add_call(created_at=NOW - timedelta(days=1), has_records=True)
    async with connect(FakeLiner(dataset), chatgpt=True) as session:
        assert "not all summaries were read" in await session.refusal("search", query="шуруповёрт")
    assert not dataset.records_of(made.id)


async def test_a_query_without_a_word_is_refused(connect: OpenSession, dataset: Dataset) -> None:
    async with connect(FakeLiner(dataset), chatgpt=True) as session:
        assert "holds no word" in await session.refusal("search", query="?!")


async def test_an_unknown_id_is_refused(connect: OpenSession, dataset: Dataset) -> None:
    async with connect(FakeLiner(dataset), chatgpt=True) as session:
        assert "no call record" in await session.refusal("fetch", id="12345")


async def test_phones_are_masked_and_a_long_summary_is_cut_to_the_budget(
    connect: OpenSession, dataset: Dataset
) -> None:
    record_id = add(dataset, "Номер +7 926 123-45-67. " + "Обсудили теплицы и грядки. " * 2_000)
    async with connect(FakeLiner(dataset), chatgpt=True, max_answer_bytes=9_500) as session:
        result = await session.call("fetch", id=str(record_id))
        found = await session.call("search", query="теплицы")
    document = json.loads(text_of(result))
    assert len(text_of(result).encode()) <= 9_500
    assert "123-45" not in text_of(result) + text_of(found)
    assert document["metadata"]["summary_state"] == "cut"
    assert "the first" in document["text"]
