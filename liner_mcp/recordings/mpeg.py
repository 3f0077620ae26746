"""Recognises MPEG audio by its content, as players do; file names and media types do not count. Pure.

Sources: ISO/IEC 11172-3 section 2.4.1.3 (frames), ISO/IEC 13818-3 (MPEG-2), ID3v2.4.0 section 3, APEv2.
"""

from __future__ import annotations

import re

SEARCHED_BYTES = 1_024  # after the tags; players search at least as far for the first frame
_MAX_TAGS = 16  # files have one or two

_ZEROS = re.compile(rb"\0*")

# Bit rates in kbit/s by index 1 to 14: of MPEG-1 by layer, and of both layers of MPEG-2 and 2.5.
_BIT_RATES_1 = {
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_BIT_RATES_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLING_RATES = {0b11: (44_100, 48_000, 32_000), 0b10: (22_050, 24_000, 16_000), 0b00: (11_025, 12_000, 8_000)}
_LAYERS = {0b01: 3, 0b10: 2}  # Layer I is not used for recordings, and the byte order mark of UTF-16 looks like it

# How other files begin, and what an error calls them.
_OTHER_FORMATS = (
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "a WAV file"),
    (re.compile(rb"OggS"), "an Ogg file"),
    (re.compile(rb"fLaC"), "a FLAC file"),
    (re.compile(rb"....ftyp", re.DOTALL), "an MP4 file"),
    (re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"), "an AAC file"),
    (re.compile(rb"#!AMR"), "an AMR file"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "a WebM file"),
    (re.compile(rb"\x1f\x8b"), "compressed with gzip"),
    (re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE), "a web page"),
)


def is_mpeg_audio(body: bytes) -> bool:
    """Whether two consecutive frames begin within `SEARCHED_BYTES` after the tags, or one frame is the whole audio."""
    start = _audio_start(body)
    return any(_follows(body, frame, start) for frame in range(start, min(start + SEARCHED_BYTES, len(body) - 3)))


def may_be_mpeg_audio(first: bytes) -> bool:
    """Whether a file with these first bytes may be MPEG audio: a tag, a frame that is cut, or `is_mpeg_audio`."""
    return first.startswith((b"ID3", b"APETAGEX")) or _frame(first, _audio_start(first)) > 0 or is_mpeg_audio(first)


def other_format(body: bytes) -> str:
    """What a file is that is no MPEG audio, such as "a WAV file"; empty if unknown."""
    return next((name for pattern, name in _OTHER_FORMATS if pattern.match(body)), "")


def _audio_start(body: bytes) -> int:
    """The position after the tags and the zeros around them. Some encoders do not count the zeros in a tag's size."""
    position = 0
    for _ in range(_MAX_TAGS):
        after = _after_zeros(body, position)
        position = after + _tag_length(body[after : after + 32])
        if position == after:
            break
    return position


def _after_zeros(body: bytes, position: int) -> int:
    found = _ZEROS.match(body, position)
    return found.end() if found else position


def _tag_length(head: bytes) -> int:
    """The length of the tag that begins with `head`, as it says itself; 0 if this is no tag."""
    if head.startswith(b"ID3") and len(head) >= 10:
        # The size has seven bits in each of four bytes. It counts neither the header nor the footer.
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head.startswith(b"APETAGEX") and len(head) == 32:
        return 32 + int.from_bytes(head[12:16], "little")
    if head.startswith(b"TAG"):
        return 128
    return 0


def _follows(body: bytes, frame: int, start: int) -> bool:
    """Whether a frame begins at `frame` and is followed by another; the only frame, at `start`, by tags and zeros."""
    length = _frame(body, frame)
    after = frame + length
    if not length or after > len(body):
        return False
    # Version, layer and sampling rate are the same in all frames; the bit rate differs with VBR.
    if _frame(body, after):
        return (body[frame + 1] ^ body[after + 1]) & 0x1E == 0 and (body[frame + 2] ^ body[after + 2]) & 0x0C == 0
    return frame == start and _audio_start(body[after:]) >= len(body) - after


def _frame(body: bytes, position: int) -> int:
    """The length in bytes of the frame whose header is at `position`; 0 if there is no such header."""
    header = body[position : position + 4]
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = (header[1] >> 3) & 0b11, _LAYERS.get((header[1] >> 1) & 0b11)
    bit_rate, sampling, padding = header[2] >> 4, (header[2] >> 2) & 0b11, (header[2] >> 1) & 1
    if version == 0b01 or layer is None or bit_rate in (0b0000, 0b1111) or sampling == 0b11:
        return 0
    mpeg_1 = version == 0b11
    rate = (_BIT_RATES_1[layer] if mpeg_1 else _BIT_RATES_2)[bit_rate - 1] * 1_000
    samples = 1_152 if mpeg_1 or layer == 2 else 576
    return samples // 8 * rate // _SAMPLING_RATES[version][sampling] + padding
