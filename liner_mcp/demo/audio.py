"""A silent MP3 of a given length that can be played.

Frames are MPEG-2.5 Layer III, 8 kbit/s, 8 kHz, mono: the smallest valid ones, so that a minute has 60 kB and tests can
download hours. All bytes after the header are zero, which means silence.
"""

from __future__ import annotations

SAMPLE_RATE = 8000
SAMPLES_PER_FRAME = 576
FRAME_BYTES = 72  # 72 * bit rate / sample rate for the low-sampling-frequency versions of Layer III

# Eleven sync bits, version 2.5 (00), Layer III (01), no CRC (1); bit rate 8 kbit/s (0001), 8 kHz (10), no padding;
# mono (11), original (1), no emphasis.
_HEADER = bytes((0xFF, 0xE3, 0x18, 0xC4))
_FRAME = _HEADER.ljust(FRAME_BYTES, b"\x00")


def silence(seconds: int) -> bytes:
    """An MP3 of `seconds`, to within half a frame. It has at least one frame, because an empty file is no MP3."""
    frames = round(seconds * SAMPLE_RATE / SAMPLES_PER_FRAME)
    return _FRAME * max(1, frames)
