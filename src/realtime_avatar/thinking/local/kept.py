"""What a model remembers of system messages, kept on disk from one start to the next.

Reading one takes seconds on a small machine, and what is remembered of it depends on the model
and the words alone: 29 kB for each token of the default model.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Final
from zipfile import BadZipFile

import numpy as np

from realtime_avatar.thinking.local.attention import blocks
from realtime_avatar.thinking.local.memory import Memory
from realtime_avatar.thinking.read_prompts import prune

_VERSION: Final = 3  # of what is computed


class KeptPrompts:
    """The files of one model. Blocking: call it in worker threads.

    What cannot be kept or restored is read again; no error leaves here.

    Args:
        folder: Where they are; None keeps nothing.
        model: The model's file; it counts as another when its size or time has changed.
    """

    def __init__(self, folder: Path | None, model: Path) -> None:
        about = model.stat()
        self._folder = folder
        self._model = f"{model.resolve()}:{about.st_size}:{about.st_mtime_ns}:local {_VERSION}"

    def restore(self, memory: Memory, tokens: Sequence[int]) -> bool:
        """Let an empty memory remember tokens if they are kept; return whether they were."""
        file = self._file(tokens)
        if not (file and file.is_file()):
            return False
        try:
            with file.open("rb") as opened, np.load(opened) as kept:
                keys, values = kept["keys"], kept["values"]
            memory.keys[:, :, : keys.shape[2]], memory.values[:, :, : len(tokens)] = keys, values
            os.utime(file)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return False
        memory.tokens = list(tokens)
        memory.guessed = memory.since = len(tokens)
        return True

    def keep(self, memory: Memory) -> None:
        """Keep a memory, of a system message and nothing else."""
        if not (file := self._file(memory.tokens)):
            return
        part = file.with_suffix(f".{token_hex(8)}.part")
        with suppress(OSError):
            with part.open("wb") as out:
                count = len(memory.tokens)
                keys = memory.keys[:, :, : blocks(count)]
                values = memory.values[:, :, :count]
                np.savez(out, allow_pickle=False, keys=keys, values=values)
            part.replace(file)
            prune(file.parent)
        with suppress(OSError):
            part.unlink(missing_ok=True)

    def _file(self, tokens: Sequence[int]) -> Path | None:
        words = " ".join(map(str, tokens))
        name = sha256(f"{self._model}:{words}".encode()).hexdigest()
        return self._folder and self._folder / f"{name}.npz"
