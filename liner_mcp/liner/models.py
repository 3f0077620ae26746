"""Models of the objects that Liner sends. Input is read tolerantly, and texts are cleaned.

Unknown fields are ignored. Numbers may come as strings and booleans as 0/1. Every field except `id` may be null or
absent; `decoding` treats a field whose value cannot be used as absent. `was_sent` separates *absent* from *null*: the
two published versions of the call-record list differ in that.

Source: docs.linerapp.io, /devs/api/v2/...
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from liner_mcp.text.clean import MOST_CHARACTERS, clean_beginning
from liner_mcp.text.mask import quote_input

CODE_CHARACTERS = 64
_WORD_CODE = re.compile(rf"[A-Za-z_.-]{{0,{CODE_CHARACTERS - 6}}}\d{{0,6}}")
LARGEST_ID = 2**53 - 1  # the largest whole number that every JSON parser keeps exact
LONGEST_SECONDS = 86_400  # of a call or a record: none lasts a day, so a larger number has another meaning
NO_LINK = "archived:"
"""Stands for a record's `file_url` that an archive did not store. It leads nowhere: the link is requested of Liner."""

FIRST_YEAR, LAST_YEAR = 2000, 2100  # of a call or a record: another year is a placeholder or a mistake


def _clean_text(value: Any) -> Any:
    if not isinstance(value, str) or (len(value) <= MOST_CHARACTERS and value.isascii() and value.isprintable()):
        return value  # most values are codes, dates and links, which need no cleaning
    return clean_beginning(value)


def _clean_code(value: Any) -> Any:
    # Liner may add codes, so every value is shown. The documented ones are words and not half as long. Others are
    # masked here, in all objects alike, because a code of a call is compared with the codes of a dictionary.
    if not isinstance(value, str) or _WORD_CODE.fullmatch(value):
        return value
    return quote_input(value, CODE_CHARACTERS)


def _blank_to_none(value: Any) -> Any:
    # PHP back ends send "" for a number, a flag or a date that is null; MySQL has a date of zeros.
    return None if isinstance(value, str) and (value == "" or value.startswith("0000-00-00")) else value


def _number(value: Any) -> Any:
    if isinstance(value, bool):  # pydantic reads true as 1
        raise ValueError("not a number")  # noqa: TRY004 - pydantic handles ValueError
    return _blank_to_none(value)


def _round_float(value: Any) -> Any:
    # A duration may have a fraction, although the documentation shows whole seconds.
    return round(value) if isinstance(value, float) else _number(value)


def _blank_to_empty_dict(value: Any) -> Any:
    # PHP writes an empty map as an empty list.
    return {} if value is None or value in ("", []) else value


def _zero_to_none(value: int | None) -> int | None:
    # "No agent" may come as 0 instead of null: no entity of Liner has id 0.
    return value or None


def _to_utc(value: datetime) -> datetime:
    # Every sample ends in Z. A time without a zone is taken as UTC too.
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the calendar ends before this moment") from None


def _plausible(value: datetime | None) -> datetime | None:
    if value is not None and not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError("no call is of this year")
    return value


def _members(value: Any) -> Any:
    if value is None or value == "":
        return None
    return value if (members := array_of(value)) is None else members


def array_of(value: object) -> list[object] | None:
    """The members of a list, None for other values. PHP writes a list with gaps in its keys as an object whose keys
    are numbers: `{"0": …, "2": …}`.
    """
    if isinstance(value, list):
        return cast("list[object]", value)
    if not isinstance(value, dict) or not value:
        return None
    members = cast("dict[str, object]", value)
    return list(members.values()) if all(key.isascii() and key.isdigit() for key in members) else None


Text = Annotated[str, BeforeValidator(_clean_text)]
Code = Annotated[str, BeforeValidator(_clean_code)]
Id = Annotated[int, Field(ge=0, le=LARGEST_ID), BeforeValidator(_number)]
Seconds = Annotated[Annotated[int, Field(ge=0, le=LONGEST_SECONDS)] | None, BeforeValidator(_round_float)]
Flag = Annotated[bool | None, BeforeValidator(_blank_to_none)]
Reference = Annotated[Id | None, BeforeValidator(_blank_to_none), AfterValidator(_zero_to_none)]
UtcDatetime = Annotated[Annotated[datetime, AfterValidator(_to_utc)] | None, BeforeValidator(_blank_to_none)]
Moment = Annotated[UtcDatetime, AfterValidator(_plausible)]


class LinerModel(BaseModel):
    """Base of all entities: camelCase in JSON, snake_case here."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, coerce_numbers_to_str=True
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # A repr gets into logs and tracebacks, which must not hold a summary, phone, name or link.
        return ((name, value) for name, value in super().__repr_args__() if not isinstance(value, str))

    def was_sent(self, field: str) -> bool:
        """Whether the field was in Liner's answer, even as null."""
        return field in self.model_fields_set


class Identified(LinerModel):
    """An entity with an id."""

    id: Id


# Null means no agent, no side that hung up, no phone. In the other fields of a call the documentation gives it no
# meaning.
NULL_IS_KNOWN = frozenset({"user_id", "finish_initiator", "client_phone"})


class Call(Identified):
    """One phone attempt. Durations in seconds. /devs/api/v2/call/detail/"""

    user_id: Reference = None
    order_id: Reference = None
    lead_id: Reference = None
    status_code: Code | None = None
    direction: Code | None = None
    finish_initiator: Code | None = None
    talk_time_duration_seconds: Seconds = None
    wait_time_duration_seconds: Seconds = None
    client_phone: Text | None = None
    has_records: Flag = None
    created_at: Moment = None

    def is_known(self, field: str) -> bool:
        """Whether Liner sent a value of the field. Null is a value where it has a meaning."""
        return getattr(self, field) is not None or (field in NULL_IS_KNOWN and self.was_sent(field))


class CallRecord(Identified):
    """One audio file of a call, perhaps with an AI summary. It does not hold the id of its call.

    `user_id`, `lead_id` and `record_summary` are absent in one of the two published versions of the list.
    /devs/api/v2/call-record/list/
    """

    user_id: Reference = None
    lead_id: Reference = None
    is_transfer: Flag = None
    duration_seconds: Seconds = None
    file_url: Text | None = None
    record_summary: Text | None = None
    created_at: Moment = None


class Order(Identified):
    """A client's calling project. /devs/api/v2/order/list/"""

    title: Text | None = None
    service_title: Text | None = None
    code: Code | None = None


class User(Identified):
    """A person with a login: an agent, a supervisor, a client. /devs/api/v2/user/list/"""

    name: Text | None = None
    last_name: Text | None = None
    access_group: Code | None = None
    is_active: Flag = None


class CallStatus(Identified):
    """The result of a call. Calls carry `code`; filters take `id`. /devs/api/v2/call-status/list/"""

    code: Code | None = None
    title: Text | None = None
    lead_status_code: Code | None = None


class LeadStatus(Identified):
    """The state of a lead; `category` is its verdict. /devs/api/v2/lead-status/list/"""

    code: Code | None = None
    title: Text | None = None
    category: Code | None = None


class GroupNames(LinerModel):
    """The Russian and the English (`gb`) name of an agent group."""

    ru: Text | None = None
    gb: Text | None = None


class AgentGroup(Identified):
    """A group of agents. /devs/api/v2/agent-group/list/"""

    names: Annotated[GroupNames, BeforeValidator(_blank_to_empty_dict)] = GroupNames()
    agent_ids: Annotated[Annotated[tuple[Id, ...], Field(fail_fast=True)] | None, BeforeValidator(_members)] = None


class Lead(Identified):
    """One client request, with the fields that a search for its calls needs. /devs/api/v2/lead/detail/"""

    order_id: Reference = None
    created_at: UtcDatetime = None


class ServiceHealth(LinerModel):
    """One internal service of Liner. /devs/api/status/health-check"""

    success: Flag = None
    message: Text | None = None
