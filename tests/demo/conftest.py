"""Only asyncio: the demo's latency is asyncio's."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
