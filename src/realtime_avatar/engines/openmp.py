"""The OpenMP runtime that llama.cpp links, on a system that does not have it."""

import ctypes
import os
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

import platformdirs

from realtime_avatar.errors import ConfigError

_SONAME = "libgomp.so.1"


def ensure_libgomp() -> None:
    """Make sure that a library which needs libgomp.so.1 can be loaded after this.

    Where the system has none (it comes with compilers, so a small Debian lacks it), the
    copy inside another installed wheel serves. Such copies are renamed, and the dynamic
    loader goes by the name written inside; so a copy with the name put right is kept in
    the user's cache and loaded from there. Only on Linux; elsewhere there is nothing to do.

    Raises:
        ConfigError: if there is no copy to be had.
    """
    if sys.platform != "linux" or _loads(_SONAME):
        return
    for bundled in _bundled():
        data = bundled.read_bytes()
        path = platformdirs.user_cache_path("realtime-avatar") / "openmp" / bundled.stem / _SONAME
        try:
            _keep(path, renamed(data, bundled.name, _SONAME))
        except (OSError, ValueError):
            continue
        if _loads(str(path)) and _loads(_SONAME):
            return
    raise ConfigError("llama.cpp needs the OpenMP runtime: apt install libgomp1")


def renamed(library: bytes, old: str, new: str) -> bytes:
    """Return an ELF library with another SONAME.

    The name is a NUL-terminated string in the table of dynamic strings, so a name that is
    no longer than the old one can take its place and nothing has to move.

    Raises:
        ValueError: if the new name is too long or the old one is not there.
    """
    before, after = f"\0{old}\0".encode(), f"\0{new}\0".encode()
    if len(after) > len(before):
        raise ValueError(f"{new!r} is longer than {old!r}")
    if before not in library:
        raise ValueError(f"the library is not called {old!r}")
    return library.replace(before, after.ljust(len(before), b"\0"))


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


def _bundled() -> list[Path]:
    """Return the copies of libgomp that installed wheels brought along."""
    return [
        Path(str(file.locate()))
        for distribution in distributions()
        for file in distribution.files or ()
        if file.parent.name.endswith(".libs") and file.name.startswith("libgomp")
    ]


def _keep(path: Path, data: bytes) -> None:
    """Write a file unless it is there; nobody ever sees half of it."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(part).replace(path)
