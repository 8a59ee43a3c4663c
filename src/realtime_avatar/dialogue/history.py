"""What was said, and of the avatar's words only those that were heard."""

from collections.abc import Sequence

from realtime_avatar.engines.ports import Message


class History:
    """The messages of one conversation.

    Args:
        system: Who the avatar is and how it speaks; the first message of each request.
    """

    def __init__(self, system: str = "") -> None:
        self.system = system
        self._said: list[Message] = []

    @property
    def messages(self) -> list[Message]:
        """What a chat gets to see."""
        head = [Message("system", self.system)] if self.system else []
        return head + self._said

    def replace(self, said: Sequence[Message]) -> None:
        """Go on from another conversation; from none, if it is empty."""
        self._said = list(said)

    def add_user(self, text: str) -> None:
        self._said.append(Message("user", text))

    def add_avatar(self, heard: str) -> None:
        """Add what was heard of an answer; an answer that nobody heard leaves no message."""
        if heard.strip():
            self._said.append(Message("assistant", heard.strip()))
