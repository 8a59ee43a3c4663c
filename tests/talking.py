"""A talk with a chat."""

from collections.abc import Sequence

from realtime_avatar.engines.ports import Chat, Message

SYSTEM = "You are Ava, a friendly AI avatar. You answer in short spoken sentences."


def asked(*texts: str) -> list[Message]:
    """A conversation of which the last text is the question."""
    roles = ("user", "assistant")
    talk = [Message(roles[at % 2], text) for at, text in enumerate(texts)]  # type: ignore[arg-type]
    return [Message("system", SYSTEM), *talk]


async def answer(chat: Chat, messages: Sequence[Message]) -> str:
    return "".join([piece async for piece in chat.reply(messages)])
