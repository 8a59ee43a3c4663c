"""A question whether it is human is answered truthfully, by rule and not by a model.

Small models say that they are human when asked, whatever their prompt. So the question is
recognised by its form, in English, Chinese and Spanish, as people ask it and as a
recogniser writes it down, and never reaches the model. What a model says of itself without
being asked is held to the truth by the prompt only (`thinking.persona`).
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import ClassVar, Final

from realtime_avatar.engines.ports import Chat, ChatEngine, Message
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.media.language import guess_language
from realtime_avatar.thinking import human_or_machine
from realtime_avatar.thinking.reading_ahead import read_ahead

ANSWERS: Final = {
    "en": "I am an AI avatar, not a person. "
    "My name is {name}, and a computer makes my face, my voice and my words.",
    "zh": "我是人工智能虚拟形象，不是真人。我叫{name}，我的样子、声音和回答都是电脑生成的。",
    "es": "Soy un avatar de inteligencia artificial, no una persona. "
    "Me llamo {name}, y un ordenador crea mi cara, mi voz y mis palabras.",
}


def truthful_answer(question: str, language: str, name: str) -> str | None:
    """Answer a question whether the avatar is a human, a machine, alive or a recording.

    Args:
        question: What was said, in any casing and punctuation.
        language: ISO 639-1 code of the language to look for first. The answer is in the
            language of the question, whichever that is.
        name: What the avatar is called.

    Returns:
        The truth, or None if that is not what was asked.
    """
    for code in sorted(ANSWERS, key=lambda code: code != language):
        if human_or_machine.asks(question, code, name):
            return ANSWERS[code].format(name=name)
    return None


class Honest:
    """A chat engine that answers this one question itself and leaves the rest to another.

    Args:
        engine: Any chat engine.
        name: What the avatar is called.
    """

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, engine: ChatEngine, name: str) -> None:
        self._engine, self._name = engine, name
        truthful_answer("", "en", name)  # compiles the forms: 100 ms that no first turn pays

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["HonestChat"]:
        """Open a session of the engine."""
        async with self._engine.open(system=system, tools=tools) as chat:
            yield HonestChat(chat, self._name)


class HonestChat:
    """One session of `Honest`."""

    def __init__(self, chat: Chat, name: str) -> None:
        self._chat, self._name = chat, name

    async def read_ahead(self, messages: Sequence[Message]) -> None:
        """Have the chat read what is known of a coming request; see `ReadsAhead`."""
        await read_ahead(self._chat, messages)

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Yield the truth in one piece if it was asked for, else the chat's answer."""
        question = messages[-1].text if messages else ""
        if truth := truthful_answer(question, guess_language(question), self._name):
            yield truth
            return
        async with aclosing(self._chat.reply(messages)) as pieces:
            async for piece in pieces:
                yield piece
