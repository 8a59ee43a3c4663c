"""What a chat is asked, and what of the conversation before it is told."""

from collections.abc import Sequence
from typing import Final

from realtime_avatar.engines.ports import Message
from realtime_avatar.errors import InputError

LONGEST: Final = 4000
"""Characters of one message; more is refused. Some five minutes of speech."""


def check_question(messages: Sequence[Message]) -> None:
    """Refuse what cannot be answered.

    Raises:
        InputError: if the last message is missing, empty or longer than `LONGEST` characters.
    """
    question = messages[-1].text.strip() if messages else ""
    if not question:
        raise InputError("there is nothing to answer: the message is empty")
    if len(question) > LONGEST:
        raise InputError(
            f"the message has {len(question):,} characters; at most {LONGEST:,} are answered"
        )


def recent(messages: Sequence[Message], most: int) -> list[Message]:
    """Return the system's messages and the last ones of the conversation, the question included.

    What is too old goes by half of `most` at once: a server that keeps what it has read, as
    vLLM and llama.cpp do, then reads most requests from where the one before ended.

    Args:
        messages: Of the conversation; the last one is kept whatever `most` is.
        most: How many of them are told.
    """
    head = [message for message in messages if message.role == "system"]
    talk = [message for message in messages if message.role != "system"]
    step = max(1, most // 2)
    gone = -(-max(0, len(talk) - most) // step) * step
    talk = talk[min(gone, len(talk) - 1) :]
    while len(talk) > 1 and talk[0].role != "user":
        talk = talk[1:]
    return head + talk
