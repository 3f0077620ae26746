"""What counts as MPEG audio: what players play, and nothing else."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.demo.audio import silence
from liner_mcp.recordings.mpeg import SEARCHED_BYTES, is_mpeg_audio, may_be_mpeg_audio, other_format

AUDIO = silence(1)


def frame(header: str, length: int) -> bytes:
    return bytes.fromhex(header).ljust(length, b"\x55")


# MPEG-1 Layer III, 44.1 kHz, at 128 kbit/s without and with padding, and at 64 kbit/s.
FRAME, PADDED, SLOWER = frame("fffb9000", 417), frame("fffb9200", 418), frame("fffb5000", 208)


def id3(size: int, body: bytes = b"", flags: int = 0) -> bytes:
    """An ID3v2.4 tag that says it has this size."""
    return b"ID3\x04\x00" + bytes([flags]) + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + body


def ape(body: bytes, *, header: bool) -> bytes:
    """An APEv2 tag: one item and a footer, with or without the header."""
    footer = struct.pack("<8sIIII8x", b"APETAGEX", 2000, len(body) + 32, 1, 0x80000000)
    return (footer if header else b"") + body + footer


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(silence(0), id="one frame of the demo"),
        pytest.param(silence(5), id="MPEG-2.5 Layer III"),
        pytest.param(FRAME, id="one frame alone"),
        pytest.param(FRAME * 3, id="MPEG-1 Layer III"),
        pytest.param(FRAME + PADDED + FRAME, id="with padding in some frames"),
        pytest.param(FRAME + SLOWER * 2, id="with a variable bit rate"),
        pytest.param(frame("fffb9000", 36)[:36] + b"Xing" + bytes(377) + SLOWER * 2, id="with a Xing header"),
        pytest.param(frame("fffa9000", 417) * 2, id="MPEG-1 Layer III with checksums"),
        pytest.param(frame("fff34064", 104) * 2, id="MPEG-2 Layer III"),
        pytest.param(frame("fff34064", 104) + bytes(40), id="one frame and zeros"),
        pytest.param(frame("fffd8004", 417) * 2, id="MPEG-1 Layer II"),
        pytest.param(frame("fff58004", 417) * 2, id="MPEG-2 Layer II"),
        pytest.param(FRAME * 2 + FRAME[:100], id="cut in the last frame"),
        pytest.param(id3(0) + AUDIO, id="after an empty tag"),
        pytest.param(id3(300, b"TIT2" + bytes(296)) + AUDIO, id="after a tag of several hundred bytes"),
        pytest.param(id3(4, b"TIT2") + bytes(2_000) + AUDIO, id="after zeros that the tag's size does not count"),
        pytest.param(
            id3(4, b"TIT2", 0x10) + b"3DI\x04\x00\x10\x00\x00\x00\x04" + AUDIO, id="after a tag with a footer"
        ),
        pytest.param(id3(4, b"TIT2") + id3(8, b"TALB" + bytes(4)) + AUDIO, id="after two tags"),
        pytest.param(ape(b"item", header=True) + AUDIO, id="after an APE tag"),
        pytest.param(id3(4, b"TIT2") + ape(b"item" * 500, header=True) + bytes(9) + AUDIO, id="after two kinds of tag"),
        pytest.param(id3(10) + AUDIO, id="after a tag that counts the beginning of a frame"),
        pytest.param(FRAME + b"TAG" + bytes(125), id="one frame before an ID3v1 tag"),
        pytest.param(FRAME + ape(b"item", header=True), id="one frame before an APE tag"),
        pytest.param(b"\x00" + AUDIO, id="after a zero"),
        pytest.param(bytes(5_000) + AUDIO, id="after many zeros"),
        pytest.param(b"junk" * 200 + AUDIO, id="after less than a kilobyte of something else"),
        pytest.param(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28) + b"data\x00\x10\x00\x00" + FRAME * 2, id="in RIFF"),
    ],
)
def test_what_players_play_is_mpeg_audio(body: bytes) -> None:
    assert is_mpeg_audio(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<!doctype html><title>Sign in</title>", id="HTML"),
        pytest.param('{"error": "expired"}'.encode("utf-16"), id="JSON in UTF-16"),
        pytest.param("<html>".encode("utf-16-le"), id="HTML in UTF-16 without a mark"),
        pytest.param(b"RIFF\x24\x00\x00\x00WAVEfmt ", id="WAV"),
        pytest.param(b"OggS\x00\x02" + bytes(20), id="OGG"),
        pytest.param(b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00", id="MP4"),
        pytest.param(frame("fff15080", 100) * 9, id="ADTS AAC, MPEG-4"),
        pytest.param(frame("fff95080", 100) * 9, id="ADTS AAC, MPEG-2"),
        pytest.param(b"fLaC" + bytes(20), id="FLAC"),
        pytest.param(b"%PDF-1.7", id="PDF"),
        pytest.param(bytes.fromhex("ffd8ffe0") + b"\x00\x10JFIF", id="JPEG"),
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(100), id="zeros"),
        pytest.param(b"\xff" * 10_000, id="ones"),
        pytest.param(frame("ff1b9000", 417) * 2, id="broken sync"),
        pytest.param(frame("00fb9000", 417) * 2, id="no sync"),
        pytest.param(frame("ffeb9000", 417) * 2, id="reserved version"),
        pytest.param(frame("fffb0000", 417) * 2, id="free bit rate"),
        pytest.param(frame("fffbf000", 417) * 2, id="forbidden bit rate"),
        pytest.param(frame("fffb9c00", 417) * 2, id="reserved sampling rate"),
        pytest.param(FRAME[:1], id="a header cut after a byte"),
        pytest.param(FRAME[:3], id="a header cut before its end"),
        pytest.param(FRAME[:100], id="a frame that is cut"),
        pytest.param(FRAME + b"<html>", id="a frame and something else"),
        pytest.param(FRAME + frame("fffb9400", 384), id="a frame and another with its own sampling rate"),
        pytest.param(FRAME + frame("fff34064", 104), id="a frame and another of its own version"),
        pytest.param(b"junk" + FRAME, id="one frame after something else"),
        pytest.param(b"x" * SEARCHED_BYTES + AUDIO, id="after a kilobyte of something else"),
        pytest.param(b"ID3", id="three letters"),
        pytest.param(id3(0)[:9], id="a tag cut before its size"),
        pytest.param(id3(0), id="a tag and nothing else"),
        pytest.param(id3(0) + FRAME[:3], id="a tag and a cut header"),
        pytest.param(id3(2**28 - 1) + AUDIO, id="a tag of 256 MB"),
        pytest.param(id3(4, b"TIT2") + b"<html>", id="HTML after a tag"),
        pytest.param(id3(0) + id3(0) + b"<html>", id="HTML after two tags"),
        pytest.param(id3(0) * 1_000_000, id="a million tags"),
    ],
)
def test_anything_else_is_not(body: bytes) -> None:
    assert not is_mpeg_audio(body)


@given(st.binary(max_size=3_000) | st.binary(max_size=40).map(lambda rest: id3(len(rest), rest)))
def test_random_bytes_are_neither_audio_nor_an_error(body: bytes) -> None:
    assert not is_mpeg_audio(body)
    assert other_format(body) in ("", other_format(body[:40]))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "a WAV file"),
        (b"OggS\x00\x02", "an Ogg file"),
        (b"fLaC", "a FLAC file"),
        (b"\x00\x00\x00\x18ftypM4A ", "an MP4 file"),
        (bytes.fromhex("fff15080"), "an AAC file"),
        (b"#!AMR\n", "an AMR file"),
        (b"\x1a\x45\xdf\xa3", "a WebM file"),
        (b"\r\n<HTML>", "a web page"),
        (b'{"error": "expired"}', ""),
        (AUDIO, ""),
    ],
)
def test_other_formats_have_names(body: bytes, name: str) -> None:
    assert other_format(body) == name


@pytest.mark.parametrize(
    ("first", "may_be"),
    [
        (FRAME[:4], True),
        (AUDIO[:4], True),
        (AUDIO[:1_024], True),
        (bytes(3) + FRAME[:200], True),
        (b"ID3\x04\x00\x00\x00\x7f\x7f\x7f", True),
        (ape(b"item", header=True)[:20], True),
        (b"RIFF", False),
        (b"", False),
        (b"\x00", False),
    ],
)
def test_the_first_bytes_show_whether_a_file_may_be_audio(first: bytes, may_be: bool) -> None:
    assert may_be_mpeg_audio(first) is may_be
