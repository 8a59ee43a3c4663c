"""What the engines that compute a model on this machine share."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from realtime_avatar.errors import CapacityError, ConfigError, ModelMissing
from realtime_avatar.models.store import ModelStore


class ModelOptions(BaseModel):
    """Settings of such an engine.

    Attributes:
        model: Id of a model in the catalogue, or path of a .gguf file.
        context: Tokens that one session's messages and reply may take together.
        max_tokens: Tokens of one reply. It ends sooner, with a sentence, if it can.
        temperature: 0 always takes the likeliest word; above 0.3 small models make things up.
        slots: Sessions that may be open at once; each costs memory for `context` tokens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "qwen2.5-coder-1.5b"
    context: int = Field(2048, ge=512, le=131_072)
    max_tokens: int = Field(160, ge=16, le=1024)
    temperature: float = Field(0.2, ge=0, le=2)
    slots: int = Field(6, ge=1, le=64)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one reply took.

    Attributes:
        cached: Tokens of the prompt that were known from the turns before.
        read: Tokens of the prompt that had to be read.
        written: Tokens of the reply.
        read_ms: Time that reading took, ms.
        write_ms: Time that writing took, ms.
    """

    cached: int
    read: int
    written: int
    read_ms: float
    write_ms: float


def full(slots: int) -> CapacityError:
    """Return what is raised where there are as many sessions as slots."""
    return CapacityError(f"all {slots} conversations that the chat can hold are taken", 30)


def gguf_file(model: str, store: ModelStore) -> Path:
    """Return the file of a model.

    Args:
        model: Id in the catalogue, or path of a .gguf file.
        store: Where models of the catalogue are.

    Raises:
        ModelMissing: if it is not there.
        ConfigError: if it is of another format, or the catalogue has none of that name.
    """
    path = Path(model).expanduser()
    if path.suffix != ".gguf":
        path = min(store.path(model).glob("*.gguf"), default=path)
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelMissing(f"the model {model!r} cannot be read: {error}") from error
    if magic != b"GGUF":
        raise ConfigError(f"{path} is not a model in GGUF format")
    return path
