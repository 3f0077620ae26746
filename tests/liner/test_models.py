"""Liner's things as Liner sends them in every spelling, and as they are given out."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from liner_mcp.errors import InvalidResponse
from liner_mcp.liner.decoding import decode_list, decode_list_steps, decode_one, unreadable_fields
from liner_mcp.liner.models import (
    AgentGroup,
    Call,
    CallRecord,
    CallStatus,
    GroupNames,
    Identified,
    Lead,
    LeadStatus,
    LinerModel,
    Order,
    ServiceHealth,
    User,
)

FULL_RECORD = {
    "id": 123,
    "userId": 456,
    "leadId": 789,
    "isTransfer": False,
    "durationSeconds": 60,
    "fileUrl": "https://example.com/record.mp3",
    "recordSummary": None,
    "createdAt": "2024-01-01T00:00:00Z",
}
SHORT_RECORD = {name: FULL_RECORD[name] for name in ("id", "isTransfer", "durationSeconds", "fileUrl", "createdAt")}


FLAT: list[type[Identified]] = [Call, CallRecord, Order, User, CallStatus, LeadStatus, Lead]


def call(**fields: object) -> Call:
    return decode_one({"id": 1, **fields}, Call)


def record(**fields: object) -> CallRecord:
    return decode_one({"id": 1, **fields}, CallRecord)


def test_the_documented_record_is_read() -> None:
    assert decode_one(FULL_RECORD, CallRecord) == CallRecord(
        id=123,
        user_id=456,
        lead_id=789,
        is_transfer=False,
        duration_seconds=60,
        file_url="https://example.com/record.mp3",
        record_summary=None,
        created_at=datetime(2024, 1, 1, tzinfo=UTC),
    )


def test_a_field_that_was_not_sent_is_told_from_one_that_was_null() -> None:
    short, full = decode_one(SHORT_RECORD, CallRecord), decode_one(FULL_RECORD, CallRecord)
    assert short.record_summary is full.record_summary is None
    assert not short.was_sent("record_summary")
    assert full.was_sent("record_summary")


@pytest.mark.parametrize("model", FLAT)
def test_everything_but_the_id_may_be_absent_or_null(model: type[Identified]) -> None:
    bare = decode_one({"id": 5}, model)
    names = [name for name in model.model_fields if name != "id"]
    nulls = decode_one({"id": 5} | {str(model.model_fields[name].alias): None for name in names}, model)
    assert all(getattr(bare, name) is getattr(nulls, name) is None for name in names)
    assert not any(bare.was_sent(name) for name in names)
    assert all(nulls.was_sent(name) for name in names)


@pytest.mark.parametrize("model", [*FLAT, AgentGroup])
@pytest.mark.parametrize("fields", [{}, {"id": None}, {"id": ""}, {"id": "abc"}, {"id": 1.5}, {"id": []}, {"ID": 1}])
def test_without_a_usable_id_nothing_is_read(model: type[Identified], fields: dict[str, object]) -> None:
    with pytest.raises(InvalidResponse, match=rf"field id of a {model.__name__} "):
        decode_one(fields, model)


def test_an_agent_group_has_two_names_and_its_agents() -> None:
    group = decode_one(
        {"id": 31, "names": {"ru": "Отдел\u200b 1", "gb": "Team 1"}, "agentIds": [101, "102"]}, AgentGroup
    )
    assert (group.names, group.agent_ids) == (GroupNames(ru="Отдел 1", gb="Team 1"), (101, 102))


@pytest.mark.parametrize("names", [None, "", [], {}, {"ru": None}])
def test_an_agent_group_may_lack_names_and_agents(names: object) -> None:
    read = decode_one({"id": 31, "names": names, "agentIds": []}, AgentGroup)
    assert (read.names, read.agent_ids) == (GroupNames(), ())


@pytest.mark.parametrize("sent", [{}, {"agentIds": None}, {"agentIds": ""}])
def test_agents_that_liner_does_not_send_are_not_taken_for_none(sent: dict[str, object]) -> None:
    assert decode_one({"id": 31, **sent}, AgentGroup).agent_ids is None


def test_unknown_fields_are_ignored() -> None:
    assert call(isPredictive=True, somethingNew={"deep": [1]}) == call()


@pytest.mark.parametrize(("sent", "read"), [(7, 7), ("7", 7), (7.0, 7), ("7.0", 7), (" 7 ", 7), (0, 0), ("0", 0)])
def test_numbers_may_come_as_text(sent: object, read: int) -> None:
    assert record(durationSeconds=sent).duration_seconds == read
    assert decode_one({"id": sent}, Order).id == read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (True, True),
        (1, True),
        ("1", True),
        ("true", True),
        (False, False),
        (0, False),
        ("0", False),
        ("false", False),
        (None, None),
        ("", None),
    ],
)
def test_flags_may_come_as_numbers_or_text(sent: object, read: bool | None) -> None:
    assert record(isTransfer=sent).is_transfer is read
    assert call(hasRecords=sent).has_records is read
    assert decode_one({"id": 1, "isActive": sent}, User).is_active is read
    assert decode_one({"success": sent}, ServiceHealth).success is read


@pytest.mark.parametrize("sent", [0, "0", "", None])
def test_no_one_may_be_sent_as_zero(sent: object) -> None:
    nobody = call(userId=sent, orderId=sent, leadId=sent)
    assert nobody.user_id is nobody.order_id is nobody.lead_id is None
    assert record(userId=sent).user_id is None


def test_an_empty_number_is_nothing_and_zero_is_zero() -> None:
    assert call(talkTimeDurationSeconds="", createdAt="").talk_time_duration_seconds is None
    assert call(talkTimeDurationSeconds="", createdAt="").created_at is None
    assert call(talkTimeDurationSeconds=0).talk_time_duration_seconds == 0


@pytest.mark.parametrize(
    "sent",
    [
        "2026-11-20T15:00:00Z",
        "2026-11-20T15:00:00",
        "2026-11-20T15:00:00.000Z",
        "2026-11-20T15:00:00+00:00",
        "2026-11-20T18:00:00+03:00",
        "2026-11-20T18:00:00+0300",
        "2026-11-20 15:00:00",
        "2026-11-20T15:00Z",
        1795186800,
        "1795186800",
    ],
)
def test_times_come_out_in_utc_however_they_are_written(sent: object) -> None:
    created_at = call(createdAt=sent).created_at
    assert created_at == datetime(2026, 11, 20, 15, tzinfo=UTC)
    assert created_at is not None
    assert created_at.tzinfo is UTC


def test_parts_of_a_second_are_kept_to_the_microsecond() -> None:
    created_at = call(createdAt="2026-11-20T15:00:00.123456789Z").created_at
    assert created_at == datetime(2026, 11, 20, 15, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Клиент\x00 просит \ud83dперезвонить\u202e", "Клиент просит перезвонить"),
        ("одна\r\nдве", "одна\nдве"),
        ("", ""),
        (12, "12"),
        (1.5, "1.5"),
        (None, None),
    ],
)
def test_text_is_cleaned_and_may_come_as_a_number(sent: object, read: str | None) -> None:
    assert record(recordSummary=sent).record_summary == read
    assert call(statusCode=sent, clientPhone=sent).status_code == read
    assert decode_one({"id": 1, "title": sent}, Order).title == read
    assert decode_one({"id": 1, "lastName": sent}, User).last_name == read
    assert decode_one({"message": sent}, ServiceHealth).message == read


@given(st.text(st.characters(exclude_categories=[])))
def test_no_text_of_liner_breaks_an_encoder(text: str) -> None:
    sent = json.loads(json.dumps({"id": 1, "recordSummary": text, "fileUrl": text}))
    read = decode_one(sent, CallRecord)
    assert read.model_dump_json()
    assert (read.record_summary or "").encode() is not None


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (Call, "userId", "secret-value"),
        (Call, "talkTimeDurationSeconds", [5551234]),
        (Call, "waitTimeDurationSeconds", "9" * 5_000),
        (Call, "statusCode", {"secret": "value"}),
        (Call, "clientPhone", ["+79165551234"]),
        (Call, "hasRecords", "secret-value"),
        (Call, "hasRecords", 2),
        (Call, "createdAt", "secret-value"),
        (Call, "createdAt", "2026-13-45T00:00:00Z"),
        (Call, "createdAt", "9999-12-31T23:59:59-05:00"),
        (Call, "createdAt", "0001-01-01T00:00:00+05:00"),
        (Call, "createdAt", 10**300),
        (Call, "createdAt", True),
        (Call, "createdAt", "20.11.2026 12:00:00"),
        (Call, "createdAt", 5),
        (Call, "createdAt", {"date": "2026-11-20 12:00:00.000000", "timezone": "UTC"}),
        (Call, "userId", True),
        (Call, "userId", 10**30),
        (Call, "talkTimeDurationSeconds", True),
        (Call, "talkTimeDurationSeconds", -5),
        (Call, "talkTimeDurationSeconds", 3_600_000),
        (Call, "waitTimeDurationSeconds", "4.5"),
        (CallRecord, "durationSeconds", 10**30),
        (CallRecord, "isTransfer", 2),
        (CallRecord, "recordSummary", ["secret-value"]),
        (CallRecord, "fileUrl", {"url": "https://secret.example"}),
        (Order, "title", {"ru": "secret-value"}),
        (User, "isActive", "secret-value"),
        (CallStatus, "code", True),
        (AgentGroup, "names", "secret-value"),
        (AgentGroup, "agentIds", "secret-value"),
        (AgentGroup, "agentIds", {"secret": 5}),
        (Lead, "orderId", "secret-value"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_field_with_an_unusable_value_is_as_if_it_had_not_been_sent(
    model: type[Identified], field: str, value: object
) -> None:
    read = decode_one({"id": 1, field: value}, model)
    assert read == decode_one({"id": 1}, model)
    assert unreadable_fields({"id": 1, field: value}, model) == {field}
    (name,) = [name for name, info in model.model_fields.items() if info.alias == field]
    assert not read.was_sent(name)


@pytest.mark.parametrize(
    "row", [None, "secret-value", 5, [], {}, {"title": "no id"}, {"id": True}, {"id": -1}, {"id": 2**53}]
)
def test_a_row_without_a_usable_id_is_left_out_and_counted(row: object) -> None:
    page = decode_list({"list": [{"id": 1}, row, {"id": 3}], "next": None, "total": 3}, Order)
    assert [item.id for item in page.items] == [1, 3]
    assert (page.unreadable, page.rows, page.total) == (1, 3, 3)


def test_one_odd_cell_leaves_the_other_cells_and_rows() -> None:
    odd = {"id": 2, "userId": 7, "talkTimeDurationSeconds": "4.5", "hasRecords": 2}
    first, second = decode_list([{"id": 1, "talkTimeDurationSeconds": 5}, odd], Call).items
    assert (first.talk_time_duration_seconds, second.user_id) == (5, 7)
    assert second.model_fields_set == {"id", "user_id"}


def test_a_list_that_is_written_as_an_object_is_a_list() -> None:
    rows = {"0": {"id": 1}, "2": {"id": 3}}
    assert [item.id for item in decode_list(rows, Order).items] == [1, 3]
    page = decode_list({"list": rows, "next": 5, "total": 2}, Order)
    assert ([item.id for item in page.items], page.next, page.total) == ([1, 3], 5, 2)
    assert decode_one({"id": 1, "agentIds": {"0": 7, "3": "8"}}, AgentGroup).agent_ids == (7, 8)
    empties: tuple[dict[str, object] | None, ...] = ({}, None)
    for empty in empties:
        assert decode_list({"list": empty, "next": None, "total": 0}, Order).items == ()


@pytest.mark.parametrize("model", [*FLAT, AgentGroup, ServiceHealth])
def test_what_was_read_cannot_be_changed(model: type[LinerModel]) -> None:
    read = decode_one({"id": 1}, model)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(read, next(iter(model.model_fields)), 2)


def test_a_duration_finer_than_a_second_is_rounded() -> None:
    assert Call.model_validate({"id": 1, "talkTimeDurationSeconds": 61.6}).talk_time_duration_seconds == 62


def test_a_date_of_zeros_is_no_date() -> None:
    assert Call.model_validate({"id": 1, "createdAt": "0000-00-00 00:00:00"}).created_at is None


def test_codes_of_any_length_are_shortened() -> None:
    assert Call.model_validate({"id": 1, "statusCode": "x" * 5_000}).status_code == "x" * 63 + "…"


@pytest.mark.parametrize(
    ("rows", "steps"),
    [
        ([], 0),
        ([{"id": 1, "recordSummary": "x" * 900}] * 100, 0),
        ([{"id": 1, "recordSummary": "8\u200b" * 60_000}], 0),
        ([{"id": 1, "recordSummary": "8\u200b" * 60_000}] * 10, 9),
        ([{"id": 1, "recordSummary": "x" * 40_000}] * 10, 3),
    ],
)
def test_between_two_steps_a_page_of_long_texts_is_decoded_in_part(rows: list[object], steps: int) -> None:
    data = {"list": rows, "next": None, "total": len(rows)}
    assert len(list(decode_list_steps(data, CallRecord))) == steps
    page = decode_list(data, CallRecord)
    assert page.items == tuple(decode_one(row, CallRecord) for row in rows)


def test_texts_in_an_object_of_a_row_are_counted_and_deeper_ones_are_not_read() -> None:
    deep: dict[str, object] = {}
    for _ in range(5_000):
        deep = {"a": deep}
    rows = [{"id": one, "names": {"ru": "я\u200b" * 60_000}, "other": deep} for one in (1, 2, 3)]
    assert len(list(decode_list_steps(rows, AgentGroup))) == 2


def test_a_wrong_row_behind_long_texts_is_left_out() -> None:
    rows = [{"id": 1, "recordSummary": "x" * 200_000}, {"id": "no number"}, {"id": 3}]
    page = decode_list(rows, CallRecord)
    assert ([item.id for item in page.items], page.unreadable) == ([1, 3], 1)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("call_back", "call_back"),
        ("status-12.3", "status-12.3"),
        ("79161234567", "+7 *** ***-**-67"),
        ("ivan@mail.ru", "***@mail.ru"),
        ("card 4111 1111 1111 1111", "card **** 1111"),
        ("<img src=x>", "< img src=x>"),
    ],
)
def test_a_code_is_masked_in_all_objects_alike(code: str, shown: str) -> None:
    assert Call.model_validate({"id": 1, "statusCode": code}).status_code == shown
    assert CallStatus.model_validate({"id": 1, "code": code}).code == shown
    assert CallStatus.model_validate({"id": 1, "code": shown}).code == shown
