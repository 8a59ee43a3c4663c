"""Everything that can go wrong, as one tree.

    AvatarError
    ├── ConfigError     a setting, flag or file of settings that makes no sense
    ├── ModelMissing    weights that are not on this machine, or not what they should be
    ├── EngineError     a stage failed at its work (the session lives on)
    │   └── RemoteError another machine has no answer, for one of some reasons; HTTP 422, 429, 503
    │       └── ChatError  the chat has none, and the avatar can say why
    ├── InputError      a bad portrait, recording or text; HTTP 4xx
    ├── CapacityError   too busy now; HTTP 503 with Retry-After
    ├── StoreError      the database fails; HTTP 503
    └── ConsentError    nobody agreed to this voice or face; HTTP 403

Each message is one sentence for the person who caused it or can mend it. All of them can be
pickled, so that they cross from one process to another as what they are.
"""

from typing import Any, Literal, TypeVar, cast

E = TypeVar("E", bound=BaseException)


class AvatarError(Exception):
    """Root of the tree. `exit_code` is what the command line ends with."""

    exit_code = 2


class ConfigError(AvatarError):
    """A setting, flag or file of settings that makes no sense."""


class ModelMissing(AvatarError):
    """Weights are not on this machine and could not be fetched, or their hash is wrong."""


class EngineError(AvatarError):
    """A stage failed at its work.

    Args:
        stage: Which one: "detector", "recognizer", "chat", "voice", "face" or "playout".
        message: What happened, in words for the user.
    """

    exit_code = 1

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(f"{stage}: {message}")
        self.stage, self.message = stage, message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.stage, self.message)


Reason = Literal["blocked", "quota", "credentials", "unreachable", "slow", "failed"]
"""Why there is no answer: who is asked will not give one; too much was asked of it lately; it
does not know us; nobody is there, or the line broke; it takes too long; anything else."""


class RemoteError(EngineError):
    """What a stage asks of another machine is not answered.

    Args:
        stage: As of `EngineError`.
        reason: The kind of failure.
        message: What happened, in words for the owner; never a secret.
    """

    def __init__(self, stage: str, reason: Reason, message: str) -> None:
        super().__init__(stage, message)
        self.reason: Reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.stage, self.reason, self.message)


class ChatError(RemoteError):
    """A chat has no answer, or cannot go on with the one that it began.

    Args:
        reason: The kind of failure: the avatar has a sentence for each.
        message: What happened, in words for the owner; never a secret.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__("chat", reason, message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self.message)


class InputError(AvatarError):
    """A portrait, recording or text that cannot be used, and why."""


class CapacityError(AvatarError):
    """No room for one more now.

    Args:
        message: What is full, in words for the user.
        retry_after: When to try again, seconds.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.retry_after)


class StoreError(AvatarError):
    """The database fails, which takes nothing else with it."""

    exit_code = 1


class ConsentError(AvatarError):
    """The owner of this voice or face has not agreed to its use."""


def leaves(error: E | BaseExceptionGroup[E]) -> list[E]:
    """Return the errors of a group, and of the groups in it; of another error, itself."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[E]", error)
        return [leaf for part in group.exceptions for leaf in leaves(part)]
    return [error]
