"""Read a call's recordings with the Liner client alone: no MCP, no model.

LINER_MCP_DEMO=true python examples/read_recordings.py 7000102
"""

import argparse
import sys
from io import TextIOWrapper
from typing import cast

import anyio

from liner_mcp.errors import LinerMcpError
from liner_mcp.server.clients import open_clients
from liner_mcp.settings import read_settings


async def main(call_id: int) -> None:
    settings = read_settings()
    if settings.demo_notice:
        print(settings.demo_notice, file=sys.stderr)
    liner, _ = open_clients(settings)
    async with liner:
        call = await liner.call(call_id)
        print(f"Call {call.id}: {call.status_code}, {call.talk_time_duration_seconds} s of talk")
        listing = await liner.call_records(call_id)
        for record in listing.items:
            kind = "transfer" if record.is_transfer else "talk"
            print(f"  record {record.id}: {kind}, {record.duration_seconds} s")
            print(f"    {record.record_summary or 'no summary'}")
        if not listing.complete:
            print(f"  Liner counts {listing.total} records but listed {len(listing.items)}.")


if __name__ == "__main__":
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")  # a terminal may lack some letters
    parser = argparse.ArgumentParser(description="Print the recordings of one call.")
    parser.add_argument("call_id", type=int)
    options = parser.parse_args()
    try:
        anyio.run(main, options.call_id)
    except LinerMcpError as error:
        sys.exit(str(error))
