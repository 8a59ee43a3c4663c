"""What Kokoro's vocoder normalises a voice by, kept on disk from one start to the next.

Measuring it takes a second on a small machine. It depends on the model and the voice alone.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import platformdirs
from numpy.typing import NDArray

from realtime_avatar.models.kept import KeptArrays

Array = NDArray[np.float32]
Statistics = Mapping[str, list[tuple[Array, Array]]]
"""Mean and variance of each channel, before each pass of each block of a vocoder."""

_VERSION: Final = "1"  # of what is computed


class KeptStatistics:
    """Those of stock voices, for one model. Blocking: call it in worker threads.

    What cannot be kept or restored is measured again; no error leaves here.

    Args:
        model: The model's file; see `KeptArrays`.
    """

    def __init__(self, model: Path) -> None:
        folder = platformdirs.user_cache_path("realtime-avatar") / "voices"
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        self._kept = KeptArrays(folder, model, _VERSION)

    def restore(self, voice: str, room: Statistics) -> bool:
        """Fill the room with a voice's statistics if they are kept; return whether they were."""
        kept = self._kept.restore(voice)
        if kept is None or not set(room) <= set(kept):
            return False
        for name, places in room.items():
            places[:] = [(mean, variance) for mean, variance in kept[name]]
        return True

    def keep(self, voice: str, statistics: Statistics) -> None:
        """Keep a voice's statistics."""
        self._kept.keep(voice, {name: np.array(passes) for name, passes in statistics.items()})
