"""What every engine on another server owes: patience with limits, one retry, errors in words."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import cache
from ssl import SSLContext
from typing import TypeVar

from anyio import current_time, fail_after
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from realtime_avatar.errors import EngineError, Reason

T = TypeVar("T")


class RemoteOptions(BaseModel):
    """Settings that all engines on other servers have.

    Attributes:
        api_key: By default the engine's variable of the environment.
        first_seconds: How long to wait for the first words, or sound.
        next_seconds: And for more of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_key: SecretStr | None = None
    first_seconds: float = Field(8, gt=0, le=600)
    next_seconds: float = Field(5, gt=0, le=600)

    def key(self, *variables: str) -> str:
        """Return the key, or the first that one of these variables holds; empty without one."""
        own = self.api_key.get_secret_value() if self.api_key else ""
        return own or next((os.environ[name] for name in variables if os.environ.get(name)), "")


async def steadily(
    ask: Callable[[], AsyncGenerator[T]],
    options: RemoteOptions,
    explain: Callable[[Exception], EngineError],
    lost: tuple[type[Exception], ...],
) -> AsyncGenerator[T]:
    """Yield what a server streams, but do not wait for ever.

    Args:
        ask: Sends the request; closing what it returns closes the connection.
        options: The limits.
        explain: Turns an error of the client into words; a `TimeoutError` has them already.
        lost: Errors of a connection. One is forgiven before anything came; afterwards none,
            because what was said would be said twice.

    Raises:
        EngineError: if nothing comes in time, or the server or the line fails.
    """
    forgiven, begun = False, False
    due = current_time() + options.first_seconds
    while True:
        try:
            async with aclosing(ask()) as pieces:
                while True:
                    wait = options.next_seconds if begun else due - current_time()
                    with fail_after(wait):
                        try:
                            piece = await anext(pieces)
                        except StopAsyncIteration:
                            return
                    begun = True
                    yield piece
        except EngineError:
            raise
        except TimeoutError:
            raise explain(TimeoutError(_waited(begun, options))) from None
        except Exception as error:  # clients fail with their own errors and their libraries'
            if begun or forgiven or not isinstance(error, lost):
                raise explain(error) from error
            forgiven = True


@cache
def trusted() -> SSLContext:
    """Return whom to trust, for all connections: 0.1 s to be read."""
    import httpx2

    return httpx2.create_ssl_context()


def reason_of(status: int) -> Reason:
    """Return what an HTTP status of 400 or more means for the answer."""
    if status in (401, 403):
        return "credentials"
    if status in (402, 429):
        return "quota"
    return "unreachable" if status >= 500 else "failed"


def _waited(begun: bool, options: RemoteOptions) -> str:
    if begun:
        return f"the server was silent for {options.next_seconds:g} s in the middle of its answer"
    return f"the server did not begin to answer within {options.first_seconds:g} s"
