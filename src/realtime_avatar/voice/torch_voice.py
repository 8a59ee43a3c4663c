"""What voices that run on Torch share: the licence, and streams of a worker thread."""

from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import ConfigError


def imported(module: str, extra: str) -> Any:
    """Import an optional library.

    Raises:
        ConfigError: saying what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{extra} is not installed: pip install 'realtime-avatar[{extra}]' ({error})"
        ) from error


def check_licence(engine: str, licence: str, about: str, accepted: str) -> None:
    """Return if the owner has accepted a licence in the settings.

    Raises:
        ConfigError: saying what it asks for, and how to accept it.
    """
    if accepted != licence:
        raise ConfigError(
            f"{engine}'s weights are under {licence}: {about}; whoever accepts that writes"
            f' accept_licence = "{licence}" below [engines.{engine}] in avatar.toml'
        )


async def pieces(make: Callable[[], Iterator[Any]]) -> AsyncGenerator[NDArray[np.float32]]:
    """Yield what a blocking iterator of tensors gives, each step in a worker thread."""
    iterator = await step(make)
    end = object()
    while (piece := await step(partial(next, iterator, end))) is not end:
        yield array(piece)


def array(tensor: Any) -> NDArray[np.float32]:
    """Return a tensor of sound, of any shape, as float32 samples."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().numpy()
    return np.asarray(tensor, np.float32).reshape(-1)
