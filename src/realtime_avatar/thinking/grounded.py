"""A chat that is given what the avatar's documents say about a question."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import ClassVar, Final

from realtime_avatar.engines.ports import Chat, ChatEngine, Message
from realtime_avatar.engines.runtime import step
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import AvatarError
from realtime_avatar.thinking.knowledge import Knowledge, Passage
from realtime_avatar.thinking.reading_ahead import read_ahead

Cited = Callable[[Sequence[Passage]], None]

_FORMS: Final = {
    "en": "Information:\n{}\nQuestion: {}\nAnswer by the information, unless it has nothing to do "
    "with the question.",
    "zh": "资料：\n{}\n问题：{}\n请根据资料回答，除非资料与问题无关。",
    "es": "Información:\n{}\nPregunta: {}\nResponde según la información, salvo que no tenga que "
    "ver con la pregunta.",
}
"""What the default model read right most often: one that put the question last made it take
"dogs are not allowed" for yes in Spanish."""


class Grounded:
    """A chat engine that looks a question up before another one answers it.

    Args:
        engine: Any chat engine.
        knowledge: Where it looks.
        language: Of the conversation, ISO 639-1.
        told: Is told that the documents cannot be searched; the answer is given without them.
        cited: Is told what was found for each reply.
    """

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        engine: ChatEngine,
        knowledge: Knowledge,
        language: str,
        told: Callable[[AvatarError], None] | None = None,
        cited: Cited | None = None,
    ) -> None:
        self._engine, self._knowledge = engine, knowledge
        self._form = _FORMS.get(language, _FORMS["en"])
        self._told, self._cited = told, cited

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["GroundedChat"]:
        """Open a session of the engine."""
        async with self._engine.open(system=system, tools=tools) as chat:
            yield GroundedChat(chat, self._knowledge, self._look_up)

    async def _look_up(self, question: str) -> str:
        """Return the question and what was found about it."""
        if self._knowledge.empty:
            return question
        try:
            found = await step(partial(self._knowledge.search, question), leave=True)
        except AvatarError as error:
            if self._told:
                self._told(error)
            return question
        if not found:
            return question
        if self._cited:
            self._cited(found)
        return self._form.format("\n".join(f"- {passage.text}" for passage in found), question)


class GroundedChat:
    """One session of `Grounded`."""

    def __init__(
        self, chat: Chat, knowledge: Knowledge, look_up: Callable[[str], Awaitable[str]]
    ) -> None:
        self._chat, self._knowledge, self._look_up = chat, knowledge, look_up

    async def read_ahead(self, messages: Sequence[Message]) -> None:
        """Have the chat read what is known of a coming request; see `ReadsAhead`."""
        if self._knowledge.empty:  # else something is put before the question
            await read_ahead(self._chat, messages)

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Yield the chat's answer to the question and what was found about it."""
        if messages:
            *before, asked = messages
            messages = [*before, Message(asked.role, await self._look_up(asked.text))]
        async with aclosing(self._chat.reply(messages)) as pieces:
            async for piece in pieces:
                yield piece
