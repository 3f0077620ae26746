"""Save one recording's audio to a file, through the server's resource.

LINER_MCP_DEMO=true python examples/save_audio.py 9000055 recording.mp3
"""

import argparse
import base64
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import cast

import anyio
from mcp import Client, MCPError
from mcp.types import BlobResourceContents

from liner_mcp.errors import SettingsError
from liner_mcp.server.app import create_server
from liner_mcp.settings import read_settings


async def main(record_id: int, file: Path) -> None:
    settings = read_settings()
    if settings.demo_notice:
        print(settings.demo_notice, file=sys.stderr)
    refusal = ""
    content = None
    async with Client(create_server(settings)) as client:
        try:
            (content,) = (await client.read_resource(f"liner://call-records/{record_id}/audio")).contents
        except MCPError as error:
            refusal = error.error.message
    if content is None:
        sys.exit(refusal)
    assert isinstance(content, BlobResourceContents)
    # Written to another name first, so that an interrupted run does not leave half a recording.
    part = file.with_suffix(f"{file.suffix}.part")
    part.write_bytes(base64.b64decode(content.blob))
    part.replace(file)
    print(f"{file}: {file.stat().st_size:,} bytes of {content.mime_type}")


if __name__ == "__main__":
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")  # a terminal may lack some letters
    parser = argparse.ArgumentParser(description="Save one recording's audio to a file.")
    parser.add_argument("record_id", type=int)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    try:
        anyio.run(main, options.record_id, options.file)
    except SettingsError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{options.file} cannot be written: {error.strerror}.")
