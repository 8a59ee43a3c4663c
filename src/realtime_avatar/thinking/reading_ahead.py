"""Reading a request while it is still being said, by the chats that gain from it."""

from collections.abc import Sequence

from realtime_avatar.engines.ports import Chat, Message, ReadsAhead


async def read_ahead(chat: Chat, messages: Sequence[Message]) -> None:
    """Have a chat read what is known of a coming request, if it can; see `ReadsAhead`."""
    if isinstance(chat, ReadsAhead):
        await chat.read_ahead(messages)
