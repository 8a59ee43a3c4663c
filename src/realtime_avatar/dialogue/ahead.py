"""The chat reads what a person says while they say it."""

from contextlib import suppress
from typing import Final

from anyio import sleep

from realtime_avatar.dialogue.chats import Chats
from realtime_avatar.dialogue.history import History
from realtime_avatar.dialogue.newest import Newest
from realtime_avatar.engines.ports import Message
from realtime_avatar.errors import AvatarError
from realtime_avatar.thinking.reading_ahead import read_ahead

_UNSURE: Final = " .…,;:?!。，；：？！、"
"""What a recogniser ends a guess with goes on otherwise."""

_SETTLED: Final = 0.03
"""Seconds after which a guess is no longer followed by the question itself: that may come with
it, and would wait until a model has finished the tokens it has begun to read."""


class Ahead:
    """Keeps a conversation's chat up to the last word that was heard.

    On two slow cores a model reads some 25 tokens a second: a question of ten, and what a
    template puts around it, would take longer than the recogniser.

    Args:
        chats: Of the conversation.
        history: Of the conversation.
        language: In which it probably begins.
    """

    def __init__(self, chats: Chats, history: History, language: str) -> None:
        self._chats, self._history, self._language = chats, history, language
        self._jobs = Newest[str]()

    def expect(self, text: str, language: str = "") -> None:
        """Have what was said so far read, perhaps nothing, in this language or the last one."""
        self._language = language or self._language
        self._jobs.put(text.rstrip(_UNSURE))

    def stop(self) -> None:
        """Read no further: the request itself comes now."""
        self._jobs.drop()

    async def run(self) -> None:
        """Read until cancelled."""
        await self._jobs.work(self._read, lambda: True)

    async def _read(self, text: str) -> None:
        await sleep(_SETTLED)
        with suppress(AvatarError):  # the reply will tell
            chat = await self._chats.get(self._language)
            self._history.system = self._chats.system(self._language)
            await read_ahead(chat, [*self._history.messages, Message("user", text)])
