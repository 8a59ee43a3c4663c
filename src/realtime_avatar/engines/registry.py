"""Finding engines by name: the built-in ones and a third party's are found the same way.

A package offers an engine by an entry point, say in its pyproject.toml:

    [project.entry-points."realtime_avatar.voices"]
    parrot = "parrot.engine:Parrot"

`Parrot` is a class that follows `realtime_avatar.engines.ports` and is constructed with a
`Context`. It is imported only when somebody names it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from threading import Lock
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel, ValidationError

from realtime_avatar.engines.ports import Engine
from realtime_avatar.errors import AvatarError, ConfigError
from realtime_avatar.models.store import ModelStore

Kind = Literal["detector", "recognizer", "endpointer", "chat", "voice", "face"]
KINDS: tuple[Kind, ...] = ("detector", "recognizer", "endpointer", "chat", "voice", "face")

Options = TypeVar("Options", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Context:
    """What an engine is constructed with.

    Attributes:
        store: Where its weights are.
        threads: How many it may compute with at once.
        options: Its own settings, as the owner wrote them.
        device: On which heavy engines compute, unless their own options say otherwise: "auto",
            "cpu", "cuda:0" or "mps".
    """

    store: ModelStore
    threads: int = 2
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    device: str = "auto"

    def parse(self, shape: type[Options]) -> Options:
        """Return the options as a pydantic model.

        Raises:
            ConfigError: naming the option that is unknown or makes no sense.
        """
        try:
            return shape.model_validate(dict(self.options))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"engine option {where!r}: {first['msg']}") from None


def names(kind: Kind) -> tuple[str, ...]:
    """Return the names of the installed engines of a kind, sorted."""
    return tuple(sorted(_entries(kind)))


def engine_class(kind: Kind, name: str) -> type[Engine]:
    """Import an engine's class.

    Raises:
        ConfigError: if there is none of that name, or it cannot be imported.
    """
    found = _entries(kind)
    if name not in found:
        known = ", ".join(sorted(found))
        raise ConfigError(f"there is no {kind} engine {name!r}; installed are: {known}")
    try:
        return cast("type[Engine]", found[name].load())
    except (ImportError, AttributeError, OSError) as error:
        raise ConfigError(f"the {kind} engine {name!r} cannot be loaded: {error}") from error


_BEFORE = Lock()


def load(kind: Kind, name: str, context: Context) -> Any:
    """Construct an engine. Blocking: run it in a worker thread.

    Raises:
        ConfigError: if there is no such engine, or its options make no sense.
        ModelMissing: if its weights are not there.
    """
    with _BEFORE:
        _prepare()
    make = cast("Any", engine_class(kind, name))
    try:
        return make(context)
    except AvatarError:
        raise
    except Exception as error:
        raise ConfigError(f"the {kind} engine {name!r} does not start: {error}") from error


@cache
def _prepare() -> None:
    """Do what fails if it is first done in two threads at once, as engines are loaded.

    scipy's lazy modules can fail when two threads import it first. Numba goes through all
    builtins when its first function is declared, and any library made with pybind11 adds one
    when it is imported.
    """
    import numba

    with suppress(ImportError):
        import_module("scipy")
    cast("Any", numba).njit(lambda: None)


def _entries(kind: Kind) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"realtime_avatar.{kind}s")}
