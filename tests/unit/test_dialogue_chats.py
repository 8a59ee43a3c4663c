from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import pytest
from anyio import create_task_group
from anyio.lowlevel import checkpoint

from realtime_avatar.dialogue.chats import Chats
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import CapacityError
from realtime_avatar.thinking.persona import Persona

pytestmark = pytest.mark.anyio


class Ensemble:
    """One chat engine with so many places."""

    def __init__(self, places: int) -> None:
        self.places, self.persona = places, Persona(name="Leo")
        self.opened: list[str] = []
        self.closed = 0

    async def chat(
        self, language: str, told: object, cited: object, *, persona: Persona
    ) -> "Ensemble":
        return self

    async def toolbox(self, language: str, told: object) -> Toolbox | None:
        return None

    @asynccontextmanager
    async def open(self, *, system: str, tools: Toolbox | None) -> AsyncGenerator[object]:
        if len(self.opened) == self.places:
            raise CapacityError("full", 1)
        self.opened.append(system)
        await checkpoint()
        yield object()
        self.closed += 1


def chats(ensemble: Ensemble, stack: AsyncExitStack) -> Chats:
    return Chats(cast("Any", ensemble), stack)


async def test_each_language_is_opened_once_and_when_first_asked_for() -> None:
    ensemble = Ensemble(3)
    async with AsyncExitStack() as stack:
        found = chats(ensemble, stack)
        assert ensemble.opened == []
        english, spanish = await found.get("en"), await found.get("es")
        assert await found.get("en") is english is not spanish
        assert ensemble.opened == [found.system("en"), found.system("es")]
    assert ensemble.closed == 2


async def test_two_who_ask_at_once_get_the_same() -> None:
    ensemble, got = Ensemble(3), list[object]()
    async with AsyncExitStack() as stack:
        found = chats(ensemble, stack)

        async def ask() -> None:
            got.append(await found.get("zh"))

        async with create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
    assert got[0] is got[1]
    assert len(ensemble.opened) == 1


async def test_where_there_is_no_room_languages_share_a_chat() -> None:
    async with AsyncExitStack() as stack:
        found = chats(Ensemble(1), stack)
        english = await found.get("en")
        assert await found.get("zh") is english
    async with AsyncExitStack() as stack:
        with pytest.raises(CapacityError):
            await chats(Ensemble(0), stack).get("en")
