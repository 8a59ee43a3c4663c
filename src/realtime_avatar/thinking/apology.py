"""A chat that says so when it has no answer, instead of falling silent."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import ClassVar, Final

from realtime_avatar.engines.ports import Chat, ChatEngine, Message
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import CapacityError, ChatError, EngineError, Reason
from realtime_avatar.thinking.reading_ahead import read_ahead

SENTENCES: Final[dict[str, dict[Reason, str]]] = {
    "en": {
        "blocked": "I'm sorry, I can't talk about that.",
        "quota": "I'm sorry, I have been asked too much lately. Please try again in a while.",
        "credentials": "I'm sorry, I can't think right now: my key is missing or not valid.",
        "unreachable": "I'm sorry, I can't reach what I think with. Please try again.",
        "slow": "I'm sorry, that takes me too long. Please ask me again.",
        "failed": "I'm sorry, something went wrong while I was thinking.",
    },
    "zh": {
        "blocked": "对不起，这个话题我不能谈。",
        "quota": "对不起，最近问我的太多了，请过一会儿再试。",
        "credentials": "对不起，我现在没法思考，我的密钥缺失或者无效。",
        "unreachable": "对不起，我连不上思考用的服务，请再试一次。",
        "slow": "对不起，我想得太久了，请再问我一次。",
        "failed": "对不起，我思考的时候出错了。",
    },
    "es": {
        "blocked": "Lo siento, de eso no puedo hablar.",
        "quota": "Lo siento, me han preguntado demasiado últimamente. Inténtalo dentro de un rato.",
        "credentials": "Lo siento, ahora no puedo pensar: falta mi clave o no es válida.",
        "unreachable": "Lo siento, no llego a lo que me hace pensar. Inténtalo otra vez.",
        "slow": "Lo siento, estoy tardando demasiado. Pregúntamelo otra vez.",
        "failed": "Lo siento, algo ha fallado mientras pensaba.",
    },
}

BROKEN_OFF: Final = {
    "en": "I'm sorry, I lost the thread.",
    "zh": "对不起，我的思路断了。",
    "es": "Lo siento, he perdido el hilo.",
}
"""What is said instead where a part of the answer has been said already."""


class Apologetic:
    """A chat engine whose failures are spoken, and then raised all the same.

    Args:
        engine: Any chat engine.
        language: Of the conversation, ISO 639-1.
    """

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, engine: ChatEngine, language: str) -> None:
        self._engine = engine
        self._language = language if language in SENTENCES else "en"

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["ApologeticChat"]:
        """Open a session of the engine."""
        async with self._engine.open(system=system, tools=tools) as chat:
            yield ApologeticChat(chat, self._language)


class ApologeticChat:
    """One session of `Apologetic`."""

    def __init__(self, chat: Chat, language: str) -> None:
        self._chat, self._language = chat, language

    async def read_ahead(self, messages: Sequence[Message]) -> None:
        """Have the chat read what is known of a coming request; see `ReadsAhead`."""
        await read_ahead(self._chat, messages)

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Yield the chat's answer, or in its place or after it that there is none.

        Raises:
            EngineError, CapacityError: what the chat raised.
        """
        said = False
        try:
            async with aclosing(self._chat.reply(messages)) as pieces:
                async for piece in pieces:
                    said = said or bool(piece.strip())
                    yield piece
        except (EngineError, CapacityError) as error:
            yield self._sorry(error, said)
            raise

    def _sorry(self, error: EngineError | CapacityError, said: bool) -> str:
        reason: Reason = "quota" if isinstance(error, CapacityError) else "failed"
        if isinstance(error, ChatError):
            reason = error.reason
        if said:
            refused = SENTENCES[self._language]["blocked"]
            return " … " + (refused if reason == "blocked" else BROKEN_OFF[self._language])
        return SENTENCES[self._language][reason]
