"""The recordings' files: real MP3 frames of the promised length."""

from __future__ import annotations

import pytest

from liner_mcp.demo import DemoLiner
from liner_mcp.demo.audio import silence
from tests.demo.support import client_of, data_of, default_dataset

pytestmark = pytest.mark.anyio

# What ISO 11172-3, ISO 13818-3 and the 2.5 extension give to the header's fields, written down apart from the encoder.
_VERSION_25, _LAYER_3, _MONO = 0b00, 0b01, 0b11
_BIT_RATES = {1: 8_000, 2: 16_000, 3: 24_000, 4: 32_000}
_SAMPLE_RATES_25 = {0: 11_025, 1: 12_000, 2: 8_000}


def _seconds_of(mp3: bytes) -> float:
    """Walk the frames by their own headers; every byte must belong to one."""
    position, seconds = 0, 0.0
    while position < len(mp3):
        header = int.from_bytes(mp3[position : position + 4], "big")
        assert header >> 21 == 0b111_1111_1111, "sync"
        assert (header >> 19 & 3, header >> 17 & 3, header >> 6 & 3) == (_VERSION_25, _LAYER_3, _MONO)
        bit_rate, sample_rate = _BIT_RATES[header >> 12 & 15], _SAMPLE_RATES_25[header >> 10 & 3]
        position += 72 * bit_rate // sample_rate + (header >> 9 & 1)
        seconds += 576 / sample_rate
    assert position == len(mp3)
    return seconds


@pytest.mark.parametrize("seconds", [1, 5, 61, 900])
def test_silence_is_whole_frames_and_as_long_as_asked_within_one(seconds: int) -> None:
    assert abs(_seconds_of(silence(seconds)) - seconds) <= 576 / 8000


def test_a_minute_weighs_tens_of_kilobytes() -> None:
    assert 10_000 < len(silence(60)) < 100_000


def test_no_time_at_all_is_still_an_mp3() -> None:
    assert _seconds_of(silence(0)) > 0


async def test_a_records_file_needs_no_key_and_lasts_as_long_as_the_record_says() -> None:
    demo = DemoLiner(default_dataset())
    record = await data_of(demo, f"/v2/call-record/detail/{default_dataset().adversarial_records['emoji']}/")
    assert record["fileUrl"] == f"http://127.0.0.1/audio/{record['id']}.mp3"
    async with client_of(demo, key=None) as client:
        response = await client.get(record["fileUrl"])
    assert response.status_code == 200
    assert response.headers["content-type"] == "audio/mpeg"
    assert int(response.headers["content-length"]) == len(response.content)
    assert abs(_seconds_of(response.content) - record["durationSeconds"]) <= 576 / 8000


async def test_a_file_address_begins_with_the_scheme_and_host_that_were_asked() -> None:
    target = f"https://liner.example:8443/v2/call-record/detail/{default_dataset().adversarial_records['emoji']}/"
    record = await data_of(DemoLiner(default_dataset()), target)
    assert record["fileUrl"].startswith("https://liner.example:8443/audio/9")


async def test_records_without_a_file_say_so_in_both_ways_and_their_audio_is_not_found() -> None:
    demo = DemoLiner(default_dataset())
    missing = [record.id for record in default_dataset().records.values() if not record.has_file]
    addresses = [(await data_of(demo, f"/v2/call-record/detail/{each}/"))["fileUrl"] for each in missing]
    assert set(addresses) == {"", None}
    async with client_of(demo, key=None) as client:
        assert (await client.get(f"/audio/{missing[0]}.mp3")).status_code == 404
        assert (await client.get("/audio/1.mp3")).status_code == 404
        assert (await client.post(f"/audio/{min(default_dataset().records)}.mp3")).status_code == 405
