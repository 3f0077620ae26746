"""The window that a question means: day words, dates, moments, and what is refused in one sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.calls.time_window import TIME_FORMATS, ParsedWindow, TimeWindow, parse_window
from liner_mcp.errors import InvalidArgument
from liner_mcp.timezone import Zone
from tests.conftest import NOW
from tests.support.sentences import recorded

MOSCOW = Zone.resolve("Europe/Moscow")
BERLIN = Zone.resolve("Europe/Berlin")
# Friday, 18:00 in Moscow.
NOW_TEXT = "2026-11-20T15:00"


def asked(since: str | None, until: str | None = None, zone: Zone = MOSCOW, now: datetime = NOW) -> ParsedWindow:
    return parse_window(since, until, zone=zone, now=now)


def ends(found: ParsedWindow) -> tuple[str, str]:
    """Both ends in UTC, to the minute."""
    since, until = (moment.astimezone(UTC) for moment in (found.window.since, found.window.until))
    return since.strftime("%Y-%m-%dT%H:%M"), until.strftime("%Y-%m-%dT%H:%M")


def refusal(since: str | None, until: str | None = None, now: datetime = NOW) -> str:
    with pytest.raises(InvalidArgument) as raised:
        asked(since, until, now=now)
    return str(raised.value)


@pytest.mark.parametrize(
    ("since", "start", "end"),
    [
        ("today", "2026-11-19T21:00", NOW_TEXT),
        ("yesterday", "2026-11-18T21:00", "2026-11-19T21:00"),
        ("this_week", "2026-11-15T21:00", NOW_TEXT),
        ("last_week", "2026-11-08T21:00", "2026-11-15T21:00"),
        ("this_month", "2026-10-31T21:00", NOW_TEXT),
        ("last_month", "2026-09-30T21:00", "2026-10-31T21:00"),
        ("2026-11", "2026-10-31T21:00", NOW_TEXT),
        ("2026-02", "2026-01-31T21:00", "2026-02-28T21:00"),
        ("2025-12", "2025-11-30T21:00", "2025-12-31T21:00"),
        (" Last Week ", "2026-11-08T21:00", "2026-11-15T21:00"),
        ("this-month", "2026-10-31T21:00", NOW_TEXT),
        ("TODAY", "2026-11-19T21:00", NOW_TEXT),
        ("Today ", "2026-11-19T21:00", NOW_TEXT),
        ("last\u00a0week", "2026-11-08T21:00", "2026-11-15T21:00"),
    ],
)
def test_a_named_period_alone_means_that_whole_period_as_far_as_it_has_happened(
    since: str, start: str, end: str
) -> None:
    found = asked(since)
    assert ends(found) == (start, end)
    assert found.uses_zone


@pytest.mark.parametrize(
    ("since", "start", "by_zone"),
    [
        ("-24h", "2026-11-19T15:00", False),
        ("-7d", "2026-11-13T15:00", False),
        (" -24H ", "2026-11-19T15:00", False),
        ("−7D", "2026-11-13T15:00", False),
        ("2026‑11‑18", "2026-11-17T21:00", True),
        ("-90m", "2026-11-20T13:30", False),
        ("-2w", "2026-11-06T15:00", False),
        ("-3650d", "2016-11-22T15:00", False),
        ("2026-11-18", "2026-11-17T21:00", True),
        ("2026-11-20T10:00:00+03:00", "2026-11-20T07:00", False),
        ("2026-11-20T10:00:00Z", "2026-11-20T10:00", False),
        ("2026-11-20T10:00", "2026-11-20T07:00", True),
        ("2026-11-20 10:00", "2026-11-20T07:00", True),
        ("20261120T100000+0300", "2026-11-20T07:00", False),
    ],
)
def test_a_moment_a_day_or_a_distance_runs_to_now(since: str, start: str, by_zone: bool) -> None:
    found = asked(since)
    assert ends(found) == (start, NOW_TEXT)
    assert (found.uses_zone, found.defaulted) == (by_zone, False)


@pytest.mark.parametrize(
    ("since", "until", "start", "end"),
    [
        ("2026-11-01", "2026-11-03", "2026-10-31T21:00", "2026-11-03T21:00"),
        ("2026-11-03", "2026-11-03", "2026-11-02T21:00", "2026-11-03T21:00"),
        ("yesterday", "yesterday", "2026-11-18T21:00", "2026-11-19T21:00"),
        ("yesterday", "today", "2026-11-18T21:00", NOW_TEXT),
        ("yesterday", "now", "2026-11-18T21:00", NOW_TEXT),
        ("Yesterday", "Now ", "2026-11-18T21:00", NOW_TEXT),
        ("last_month", "2026-11-02", "2026-09-30T21:00", "2026-11-02T21:00"),
        ("2026-09", "2026-10", "2026-08-31T21:00", "2026-10-31T21:00"),
        ("today", "2026-11-20T12:00", "2026-11-19T21:00", "2026-11-20T09:00"),
        ("-48h", "-24h", "2026-11-18T15:00", "2026-11-19T15:00"),
        ("today", "2026-12-31", "2026-11-19T21:00", NOW_TEXT),
        (None, "2026-11-10", "2026-11-03T21:00", "2026-11-10T21:00"),
    ],
)
def test_until_ends_the_window_and_a_day_or_period_there_is_included(
    since: str | None, until: str, start: str, end: str
) -> None:
    assert ends(asked(since, until)) == (start, end)


def test_nothing_asked_is_the_last_week_and_known_to_be_a_guess() -> None:
    found = asked(None)
    assert ends(found) == ("2026-11-13T15:00", NOW_TEXT)
    assert found.defaulted
    assert not asked(None, "yesterday").window.contains(NOW)
    assert asked(None, "yesterday").defaulted


def test_another_default_is_no_guess() -> None:
    first = datetime(2026, 11, 3, 8, 0, 0, 500_000, tzinfo=UTC)
    found = parse_window(None, None, zone=MOSCOW, now=NOW, default_since=first)
    assert (found.window.since, found.window.until, found.defaulted) == (first, NOW, False)


def test_the_window_is_half_open_and_frozen_to_the_second() -> None:
    found = asked("-1h", now=NOW + timedelta(microseconds=999_999)).window
    assert found.until == NOW
    assert found.contains(found.since)
    assert not found.contains(found.until)
    assert found.contains(found.until - timedelta(microseconds=1))


def test_both_ends_are_told_in_the_zone_of_the_answer() -> None:
    shown = TimeWindow(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, 5, tzinfo=UTC)).to_dict(
        BERLIN
    )
    assert [datetime.fromisoformat(shown[end]).utcoffset() for end in ("since", "until")] == [
        timedelta(hours=2),
        timedelta(hours=1),
    ]
    assert shown["until"] == "2026-10-25T02:30:05+01:00"


# Daylight saving time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "start", "end", "hours"),
    [
        ("2026-10-26T12:00", "2026-10-24T22:00", "2026-10-25T23:00", 25),
        ("2026-03-30T12:00", "2026-03-28T23:00", "2026-03-29T22:00", 23),
        ("2026-10-25T23:30", "2026-10-24T22:00", "2026-10-25T23:00", 25),
        ("2026-10-25T22:30", "2026-10-23T22:00", "2026-10-24T22:00", 24),
    ],
)
def test_yesterday_across_a_change_of_the_clock_is_the_whole_day(now: str, start: str, end: str, hours: int) -> None:
    found = asked("yesterday", zone=BERLIN, now=datetime.fromisoformat(now + ":00+00:00"))
    assert ends(found) == (start, end)
    assert found.window.until - found.window.since == timedelta(hours=hours)


def test_a_distance_counts_real_hours_across_a_change_of_the_clock() -> None:
    found = asked("-24h", zone=BERLIN, now=datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert ends(found) == ("2026-10-24T12:00", "2026-10-25T12:00")


def test_a_local_time_that_comes_twice_means_the_first_and_one_that_never_comes_the_hour_after() -> None:
    late = datetime(2026, 11, 1, tzinfo=UTC)
    assert ends(asked("2026-10-25T02:30", zone=BERLIN, now=late))[0] == "2026-10-25T00:30"
    assert ends(asked("2026-03-29T02:30", zone=BERLIN, now=late))[0] == "2026-03-29T01:30"


def test_a_day_without_a_midnight_begins_with_its_first_hour() -> None:
    beirut = Zone.resolve("Asia/Beirut")
    found = asked("2026-03-29", "2026-03-29", zone=beirut, now=datetime(2026, 4, 2, tzinfo=UTC))
    assert ends(found) == ("2026-03-28T22:00", "2026-03-29T21:00")


@given(
    now=st.datetimes(datetime(2001, 1, 1), datetime(2037, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)),  # noqa: DTZ001
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Beirut", "Asia/Kathmandu", "America/Havana"]),
)
def test_day_words_fit_together_without_gap_and_overlap_in_every_zone(now: datetime, zone: str) -> None:
    here = Zone.resolve(zone)
    now += timedelta(minutes=1)
    if now.astimezone(here.info).strftime("%H:%M") == "00:00":
        now += timedelta(minutes=1)
    yesterday, today = asked("yesterday", zone=here, now=now).window, asked("today", zone=here, now=now).window
    assert yesterday.until == today.since
    assert today.until == now.replace(microsecond=0)
    date = now.astimezone(ZoneInfo(zone)).date()
    dates = [here.date_and_time(moment)[0] for moment in (yesterday.since, yesterday.until - timedelta(seconds=1))]
    assert dates == [str(date - timedelta(days=1))] * 2
    assert here.date_and_time(yesterday.since - timedelta(seconds=1))[0] == str(date - timedelta(days=2))


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "until", "sentence"),
    [
        (
            "2026-11-19",
            "2026-11-10",
            recorded("until_the_window_ends_2026_11_11t00"),
        ),
        ("2026-12-01", None, recorded("since_the_window_begins_in_the")),
        ("2026-12-01", "2026-12-05", recorded("since_the_window_begins_in_the")),
        ("now", None, recorded("since_the_window_begins_in_the")),
        (
            "2026-11-20T10:00:00 03:00",
            None,
            recorded("since_the_of_the_offset_got"),
        ),
        ("-7d", "2026-11-20T10:00 0300", recorded("until_the_of_the_offset_got")),
        ("-99999d", None, recorded("since_99999d_reaches_back_before_the")),
        ("last tuesday", None, recorded("since_last_tuesday_is_not_a", time_formats=TIME_FORMATS)),
        ("-7d", "tomorrow", recorded("until_tomorrow_is_not_a_time", time_formats=TIME_FORMATS)),
        ("2026-13", None, recorded("since_2026_13_is_not_a", time_formats=TIME_FORMATS)),
        ("2026-02-30", None, recorded("since_2026_02_30_is_not", time_formats=TIME_FORMATS)),
        ("2026-11-20T25:00", None, recorded("since_2026_11_20t25_00_is", time_formats=TIME_FORMATS)),
        ("0001-01-01T00:00Z", None, recorded("since_0001_01_01t00_00z_is", time_formats=TIME_FORMATS)),
        ("9999-12-31", None, recorded("since_9999_12_31_is_not", time_formats=TIME_FORMATS)),
        ("1763640000", None, recorded("since_1763640000_is_not_a_time", time_formats=TIME_FORMATS)),
        ("x" * 500, None, recorded("since_is_not_a_time_it", x_39="x" * 39, time_formats=TIME_FORMATS)),
    ],
)
def test_what_is_no_window_is_refused_in_one_sentence(since: str, until: str | None, sentence: str) -> None:
    assert refusal(since, until) == sentence


@pytest.mark.parametrize("text", ["20261118", "2026-W47", "2026-W47-3"])
def test_a_date_in_another_spelling_is_refused_rather_than_taken_for_its_midnight(text: str) -> None:
    assert refusal("2026-11-01", text) == recorded("until_is_not_a_time_it", value=text, time_formats=TIME_FORMATS)
