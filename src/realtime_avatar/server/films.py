"""The films that were made for programs, for as long as they are kept."""

import fcntl
import os
import shutil
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from tempfile import gettempdir, mkdtemp
from typing import Final

from anyio import current_time

KEPT: Final = 3600.0
"""Seconds that a film is kept."""

MOST: Final = 2_000_000_000
"""Bytes of all films; the oldest go first."""


_PREFIX: Final = "avatar-films-"


@contextmanager
def films_folder() -> Generator[Path]:
    """Make a folder for films, and remove it at the end; those of killed servers go at once.

    A server that lives holds a lock on its folder, which ends with it, however it ends.
    """
    for left in Path(gettempdir()).glob(f"{_PREFIX}*"):
        if (handle := _hold(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(handle)
    new = Path(mkdtemp(prefix=f".{_PREFIX}"))
    handle = _hold(new)
    folder = new.rename(new.with_name(new.name[1:]))  # held before others can find it
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _hold(folder: Path) -> int | None:
    """Return a handle that holds a folder; None if it is not ours, or another server's."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    if os.fstat(handle).st_uid == os.getuid():
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
    os.close(handle)
    return None


@dataclass(frozen=True, slots=True)
class _Film:
    path: Path
    size: int
    until: float


class Films:
    """Keeps films in a folder; each is found by an unguessable id, never by a path.

    Args:
        folder: Empty; it is removed by whoever made it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._films: OrderedDict[str, _Film] = OrderedDict()

    def place(self) -> tuple[str, Path]:
        """Return an id and where its film is to be written."""
        film = token_urlsafe(16)
        return film, self._folder / f"{film}.mp4"

    def keep(self, film: str) -> None:
        """Keep what was written to the place of an id."""
        self._expire()
        path = self._folder / f"{film}.mp4"
        self._films[film] = _Film(path, path.stat().st_size, current_time() + KEPT)
        while sum(kept.size for kept in self._films.values()) > MOST:
            self._drop(next(iter(self._films)))

    def find(self, film: str) -> Path | None:
        """Return the film of an id, if it is (still) here."""
        self._expire()
        found = self._films.get(film)
        return found.path if found else None

    def _expire(self) -> None:
        for old in [key for key, kept in self._films.items() if kept.until < current_time()]:
            self._drop(old)

    def _drop(self, film: str) -> None:
        self._films.pop(film).path.unlink(missing_ok=True)
