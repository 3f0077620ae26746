"""The audio of one record: the whole file for a resource, or pieces of it for the view."""

from __future__ import annotations

import base64

from liner_mcp.answer.table import Answer
from liner_mcp.context import AppContext
from liner_mcp.errors import AudioUnavailable, InvalidArgument, SettingsError
from liner_mcp.liner.models import NO_LINK
from liner_mcp.records.get_call_record import read_record

# 400,000 characters of base64: hosts refuse results over 1 MB. Divisible by 3, so the texts of all pieces join.
PIECE_BYTES = 300_000


async def read_audio(context: AppContext, record_id: int) -> bytes:
    """The record's file, MPEG audio of at most LINER_MAX_AUDIO_BYTES.

    Raises: InvalidArgument (unknown record), SettingsError (switched off), AudioUnavailable, AudioRefused.
    """
    return await _download(context, record_id, highest_limit=False)


async def read_audio_piece(context: AppContext, record_id: int, start: int) -> Answer:
    """`PIECE_BYTES` of the record's file from byte `start` on. `next_start` begins the next piece.

    The file may be larger than LINER_MAX_AUDIO_BYTES, which keeps a resource within one result. It is cached while
    it is played. `context.liner` belongs to one access rule, so each rule downloads a file for itself, with all checks.
    The record is read for each piece, because it may have been forgotten since the first one.

    Raises: as `read_audio`, and InvalidArgument for a `start` past the end.
    """
    _require_audio(context)
    key = (context.liner, record_id)
    body = context.played.get(key)
    if body is None:
        body = await _download(context, record_id, highest_limit=True)
        context.played.put(key, body)
    elif context.archive is not None:
        await read_record(context, record_id)  # it may have been forgotten since its first piece
    if start >= len(body):
        raise InvalidArgument(
            f"start: the recording of record {record_id} has {len(body)} bytes, so start={start} is past its end."
        )
    end = min(start + PIECE_BYTES, len(body))
    structure = {
        "record_id": record_id,
        "start": start,
        "size": len(body),
        **({"next_start": end} if end < len(body) else {}),
        "base64": base64.b64encode(body[start:end]).decode(),
    }
    # The bytes are for the view only, so the text does not repeat them.
    return Answer(structure, f"Bytes {start} to {end} of {len(body)} of the recording of record {record_id}.")


def _require_audio(context: AppContext) -> None:
    if context.audio is None:
        raise SettingsError(context.audio_unavailable_reason)


async def _download(context: AppContext, record_id: int, *, highest_limit: bool) -> bytes:
    """The file. A link that has expired is refreshed once through the record's detail."""
    _require_audio(context)
    assert context.audio is not None  # noqa: S101 - for the type checker
    audio = context.audio.with_highest_limit() if highest_limit else context.audio
    link = await _audio_link(context, record_id)
    try:
        return await audio.fetch(link)
    except AudioUnavailable:
        fresh = await _audio_link(context, record_id, fresh=True)
        if fresh == link:
            raise
        return await audio.fetch(fresh)


async def _audio_link(context: AppContext, record_id: int, *, fresh: bool = False) -> str:
    record = await read_record(context, record_id, fresh=fresh)
    if record.file_url == NO_LINK:
        record = await read_record(context, record_id, fresh=True)
    if not record.file_url:
        raise AudioUnavailable(f"Liner lists no audio file for record {record_id}; it may not be ready yet.")
    return record.file_url
