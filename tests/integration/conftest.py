"""One server for all tests that leave it as it is."""

from collections.abc import Generator

import pytest
from anyio.from_thread import start_blocking_portal

from realtime_avatar.bench.live_server import serving
from serving import FAKES

_UNLIMITED = {"AVATAR_REQUESTS_A_MINUTE": "1000000", "AVATAR_MEGABYTES_A_MINUTE": "1000000"}


@pytest.fixture(scope="session")
def fake_server() -> Generator[str]:
    """Its address; a process of its own, with engines that need no weights."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serving(FAKES | _UNLIMITED)) as server,
    ):
        yield server.url
