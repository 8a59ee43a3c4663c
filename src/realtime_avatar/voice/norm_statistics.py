"""What Kokoro's vocoder normalises a voice by, kept on disk from one start to the next.

Measuring it takes a second on a small machine. It depends on the model and the voice alone.
"""

from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Final
from zipfile import BadZipFile

import numpy as np
import platformdirs
from numpy.typing import NDArray

Array = NDArray[np.float32]
Statistics = Mapping[str, list[tuple[Array, Array]]]
"""Mean and variance of each channel, before each pass of each block of a vocoder."""

_VERSION: Final = 1  # of what is computed


class KeptStatistics:
    """The files of one model. Blocking: call it in worker threads.

    What cannot be kept or restored is measured again; no error leaves here.

    Args:
        model: The model's file; it counts as another when its size or time has changed.
    """

    def __init__(self, model: Path) -> None:
        about = model.stat()
        self._folder = platformdirs.user_cache_path("realtime-avatar") / "voices"
        self._model = f"{model.resolve()}:{about.st_size}:{about.st_mtime_ns}:{_VERSION}"

    def restore(self, voice: bytes, room: Statistics) -> bool:
        """Fill the room with a voice's statistics if they are kept; return whether they were."""
        try:
            with self._file(voice).open("rb") as opened, np.load(opened) as kept:
                for name, places in room.items():
                    places[:] = [(mean, variance) for mean, variance in kept[name]]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return False
        return True

    def keep(self, voice: bytes, statistics: Statistics) -> None:
        """Keep a voice's statistics."""
        file = self._file(voice)
        part = file.with_suffix(f".{token_hex(8)}.part")
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as out:
                np.savez(out, allow_pickle=False, **{k: np.array(v) for k, v in statistics.items()})
            part.replace(file)
        with suppress(OSError):
            part.unlink(missing_ok=True)

    def _file(self, voice: bytes) -> Path:
        return self._folder / f"{sha256(self._model.encode() + voice).hexdigest()}.npz"
