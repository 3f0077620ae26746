"""Zones: which one speaks, and what a moment is called in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from liner_mcp.timezone import Zone


def test_the_configured_zone_is_used_and_known_to_be_configured() -> None:
    zone = Zone.resolve("Asia/Dubai")
    assert (zone.name, zone.configured, zone.info) == ("Asia/Dubai", True, ZoneInfo("Asia/Dubai"))


def test_the_machines_zone_is_used_and_known_to_be_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tzlocal.get_localzone_name", lambda: "Asia/Almaty")
    zone = Zone.resolve(None)
    assert (zone.name, zone.configured, zone.info) == ("Asia/Almaty", False, ZoneInfo("Asia/Almaty"))


@pytest.mark.parametrize("name", [None, "", "Nowhere/Town", "../../etc/passwd", "Europe", "a\0b"])
def test_a_machine_without_a_usable_zone_speaks_utc(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    monkeypatch.setattr("tzlocal.get_localzone_name", lambda: name)
    zone = Zone.resolve(None)
    assert (zone.name, zone.configured) == ("UTC", False)
    assert zone.date_and_time(datetime(2026, 11, 20, 7, 2, tzinfo=UTC)) == ("2026-11-20", "07:02")


def test_a_machine_with_contradicting_zones_speaks_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    def contradicting() -> str:
        raise ZoneInfoNotFoundError("Multiple conflicting time zone configurations found")

    monkeypatch.setattr("tzlocal.get_localzone_name", contradicting)
    assert Zone.resolve(None).name == "UTC"


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        pytest.param("Europe/Moscow", "2026-11-20T07:02:59+00:00", ("2026-11-20", "10:02"), id="same day"),
        pytest.param("Europe/Moscow", "2026-11-20T20:59:59+00:00", ("2026-11-20", "23:59"), id="before midnight"),
        pytest.param("Europe/Moscow", "2026-11-20T21:00:00+00:00", ("2026-11-21", "00:00"), id="midnight"),
        pytest.param("Europe/Moscow", "2026-12-31T21:30:00+00:00", ("2027-01-01", "00:30"), id="new year"),
        pytest.param("America/New_York", "2026-11-20T03:00:00+00:00", ("2026-11-19", "22:00"), id="the day before"),
        pytest.param("Asia/Kathmandu", "2026-11-20T18:20:00+00:00", ("2026-11-21", "00:05"), id="odd minutes"),
        pytest.param("UTC", "2026-11-20T10:02:00+03:00", ("2026-11-20", "07:02"), id="any offset comes in"),
        pytest.param("Europe/Moscow", "0099-05-04T00:00:00+00:00", ("0099-05-04", "02:30"), id="four-digit years"),
    ],
)
def test_a_moment_has_the_date_and_time_of_the_zone(zone: str, moment: str, expected: tuple[str, str]) -> None:
    assert Zone.resolve(zone).date_and_time(datetime.fromisoformat(moment)) == expected


def test_clocks_go_forward_and_back_with_daylight_saving_time() -> None:
    berlin = Zone.resolve("Europe/Berlin")

    def times(start: datetime) -> list[str | None]:
        return [berlin.date_and_time(start + timedelta(hours=hour))[1] for hour in range(3)]

    assert times(datetime(2026, 3, 29, 0, 30, tzinfo=UTC)) == ["01:30", "03:30", "04:30"]
    assert times(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == ["02:30+02:00", "02:30+01:00", "03:30"]


def test_no_moment_has_no_date_and_no_time() -> None:
    assert Zone.resolve("Europe/Moscow").date_and_time(None) == (None, None)


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Moscow", "Pacific/Kiritimati"])
def test_placeholder_dates_at_the_edge_of_the_calendar_are_told_and_do_not_fail(zone: str) -> None:
    for moment in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        date, time = Zone.resolve(zone).date_and_time(moment)
        assert date in {"0001-01-01", "9999-12-31"}
        assert time is not None
