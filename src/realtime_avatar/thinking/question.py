"""What a chat is asked."""

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
