"""The part of a conversation that a model gets to see."""

from collections import deque
from collections.abc import Sequence

from realtime_avatar.engines.ports import Message
from realtime_avatar.errors import InputError

_REPLIES = 64  # own replies whose exact text is remembered


class Window:
    """Keeps what a model reads alike from turn to turn, so that its cache serves.

    - Messages are only appended, until the context is full; then the older half goes at
      once, rather than a little with every turn.
    - The model's own words come back as it wrote them: what a voice reports as heard may
      differ in white space.

    Args:
        room: Tokens that the messages may take.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self._cut = 0  # messages, not counting the system's, that are no longer seen
        self._replies: deque[str] = deque(maxlen=_REPLIES)

    def add(self, reply: str) -> None:
        """Remember a reply as the model wrote it."""
        if reply:
            self._replies.append(reply)

    def view(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """Return what the model gets to see, in OpenAI's form.

        Two messages in a row of one role, left by an answer that nobody heard, are joined:
        some models' templates refuse them.
        """
        head, talk = _split(messages)
        if self._cut >= len(talk):
            self._cut = 0  # another conversation
        seen: list[dict[str, str]] = []
        for message in [*head, *talk[self._cut :]]:
            text = self._exact(message.text) if message.role == "assistant" else message.text
            if seen and seen[-1]["role"] == message.role:
                seen[-1]["content"] += "\n" + text
            else:
                seen.append({"role": message.role, "content": text})
        return seen

    def shrink(self, messages: Sequence[Message], tokens: int) -> None:
        """See less of messages that took so many tokens: at most half of the room.

        Raises:
            InputError: if the last message alone does not fit.
        """
        _, talk = _split(messages)
        if self._cut == len(talk) - 1:
            raise InputError("the message is too long for the model's context")
        seen = talk[self._cut :]
        allowed = sum(len(message.text) for message in seen) * self.room // (2 * tokens)
        keep, size = 1, len(seen[-1].text)
        while size + len(seen[-keep - 1].text) <= allowed:
            keep += 1
            size += len(seen[-keep].text)
        while keep > 1 and seen[-keep].role != "user":
            keep -= 1
        self._cut = len(talk) - keep

    def _exact(self, heard: str) -> str:
        letters = "".join(heard.split())
        for reply in self._replies:
            end = _prefix(reply, letters)
            if end:
                return reply[:end]
        return heard


def _split(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    head = [message for message in messages if message.role == "system"]
    return head, [message for message in messages if message.role != "system"]


def _prefix(text: str, letters: str) -> int:
    """Return how much of `text` spells `letters`, white space aside; 0 if it does not."""
    at = 0
    for end, letter in enumerate(text, 1):
        if letter.isspace():
            continue
        if letter != letters[at : at + 1]:
            return 0
        at += 1
        if at == len(letters):
            return end
    return 0
