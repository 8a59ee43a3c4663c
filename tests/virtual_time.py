"""An event loop whose clock jumps to the next thing that is due, instead of waiting for it.

A module's tests run on it by a fixture of their own:

    @pytest.fixture
    def anyio_backend() -> tuple[str, dict[str, object]]:
        return VIRTUAL_TIME
"""

import asyncio
import selectors
from typing import Any


class _Selector(selectors.DefaultSelector):
    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            # Nothing is due but what another thread brings: really wait for it.
            return super().select(10)
        found = super().select(0)
        if not found:
            self.now += timeout
        return found


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its `time()` stands still while something can run."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def stall(self, seconds: float) -> None:
        """Let time pass during which nothing runs, as when the machine is busy elsewhere."""
        self._virtual.now += seconds


VIRTUAL_TIME: tuple[str, dict[str, Any]] = ("asyncio", {"loop_factory": VirtualTimeLoop})
