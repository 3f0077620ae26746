"""The SDK's server with one trivial tool in its own processes: the baseline of serving over HTTP.

python -m benchmarks.bare_process WORKERS prints its URL in the first line.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from mcp.server import MCPServer
from uvicorn.supervisors import Multiprocess

from liner_mcp.http_server.listen import open_listener
from liner_mcp.settings import Settings

TOOL = "check"


def app() -> Any:
    server = MCPServer("bare", version="0", log_level="ERROR")

    @server.tool(structured_output=False)
    async def check() -> str:  # pyright: ignore[reportUnusedFunction] - the decorator uses it
        """Say ok."""
        return "ok"

    return server.streamable_http_app(stateless_http=True)


def main(workers: int) -> None:
    # The socket, parser and event loop of our server, so that only the layers above are compared.
    listener = open_listener("127.0.0.1:0", Settings())
    config = uvicorn.Config(
        "benchmarks.bare_process:app",
        factory=True,
        http="h11",
        ws="none",
        loop="auto",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        workers=workers,
    )
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    if workers > 1:
        Multiprocess(config, sockets=[listener]).run()
    else:
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(int(sys.argv[1]))
