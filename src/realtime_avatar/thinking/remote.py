"""What every chat on another server has in common."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial

from pydantic import Field

from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.servers import RemoteOptions
from realtime_avatar.engines.tools import Call, Toolbox
from realtime_avatar.errors import ChatError
from realtime_avatar.thinking.calling import Round, answer_with_tools
from realtime_avatar.thinking.question import check_question, recent

Ask = Callable[[Sequence[Message], Sequence[Round], bool], AsyncGenerator[str | Call]]
"""(messages, what was called so far, whether more may be called) -> text and calls."""


class ChatOptions(RemoteOptions):
    """Settings that all chats on other servers have.

    Attributes:
        temperature: None leaves it to the model.
        max_tokens: Tokens of one reply, those of unseen thoughts included.
        history: Messages of the conversation that are told, the person's and the avatar's.
    """

    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int = Field(1024, ge=16, le=65_536)
    history: int = Field(40, ge=2, le=10_000)


class RemoteChat:
    """One session.

    Args:
        ask: Sends one request.
        options: The limits.
        tools: That may be called.
        missing: What is missing of the credentials, in words; empty if nothing is.
    """

    def __init__(self, ask: Ask, options: ChatOptions, tools: Toolbox | None, missing: str) -> None:
        self._ask, self._options, self._tools = ask, options, tools
        self._missing = missing

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Yield the answer to the last message.

        Raises:
            InputError: if the message is empty or too long.
            ChatError: if there is no answer, or no more of it.
        """
        check_question(messages)
        if self._missing:
            raise ChatError("credentials", self._missing)
        ask = partial(self._ask, recent(messages, self._options.history))
        async with aclosing(answer_with_tools(ask, self._tools)) as pieces:
            async for piece in pieces:
                yield piece
