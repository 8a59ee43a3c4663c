"""What was computed with a model, kept on disk from one start to the next."""

import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.generic]]


class KeptArrays:
    """Arrays that can be computed anew, by name. Blocking: call it in worker threads.

    What cannot be kept or restored is missing; no error leaves here.

    Args:
        folder: Where they are; None keeps nothing.
        model: The model's file; it counts as another when its size or time has changed.
        version: Of what is computed.
    """

    def __init__(self, folder: Path | None, model: Path, version: str) -> None:
        about = model.stat()
        self._folder = folder
        self._model = f"{model.resolve()}:{about.st_size}:{about.st_mtime_ns}:{version}"

    def restore(self, name: str) -> Arrays | None:
        """Return what is kept by a name; None if nothing is, or it is damaged."""
        if not (file := self._file(name)):
            return None
        try:
            with file.open("rb") as opened, np.load(opened) as kept:
                arrays = dict(kept)
            os.utime(file)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        return arrays

    def keep(self, name: str, arrays: Arrays) -> Path | None:
        """Keep arrays by a name; return the file that now has them, if there is one."""
        if not (file := self._file(name)):
            return None
        part = file.with_suffix(f".{token_hex(8)}.part")
        kept: Path | None = None
        with suppress(OSError):
            with part.open("wb") as out:
                np.savez(out, allow_pickle=False, **arrays)
            kept = part.replace(file)
        with suppress(OSError):
            part.unlink(missing_ok=True)
        return kept

    def _file(self, name: str) -> Path | None:
        digest = sha256(f"{self._model}:{name}".encode()).hexdigest()
        return self._folder and self._folder / f"{digest}.npz"
