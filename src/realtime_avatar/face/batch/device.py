"""The mesh face of many sessions on one GPU, as jobs that an executor batches."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final

import numpy as np
import torch

from realtime_avatar.engines.executor import Cost
from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import EngineError
from realtime_avatar.face.batch.painter import Painter
from realtime_avatar.face.batch.portrait import Picture
from realtime_avatar.face.batch.tables import KIND
from realtime_avatar.face.rig import PhotoRig
from realtime_avatar.media.motion import ARKIT
from realtime_avatar.media.picture import Frame

MOST: Final = 64
"""Pictures of one batch, at most: what is more makes each no cheaper."""


class MeshDevice:
    """Paints pictures.

    Args:
        device: "cuda:0", …
    """

    def __init__(self, device: str) -> None:
        self.painter = Painter(torch.device(device))

    def prepare(
        self, rig: PhotoRig, most: int = MOST, clock: Callable[[], float] = perf_counter
    ) -> dict[str, Cost]:
        """Compile and measure; return what a picture costs.

        Args:
            rig: A portrait of a usual size.
            most: Pictures of one batch, at most.
            clock: Seconds.
        """
        portrait = self.painter.portrait(rig)
        weights = np.full(len(ARKIT), 0.3, np.float32)  # an open mouth, eyes that have moved
        job = Picture(portrait, weights, np.zeros(6, np.float32))

        def seconds(jobs: int) -> float:
            self.painter.paint([job] * jobs)
            taken: list[float] = []
            for _ in range(5):
                start = clock()
                self.painter.paint([job] * jobs)
                taken.append(clock() - start)
            return min(taken)

        first = seconds(1)
        more = (seconds(most) - first) / (most - 1) if most > 1 else first
        return {KIND: Cost(first, max(more, 0.0), most)}

    async def run(self, kind: str, jobs: Sequence[Picture]) -> Sequence[Frame] | None:
        """Compute a batch; see `Device.run`."""
        try:
            return await step(lambda: self.painter.paint(jobs))
        except RuntimeError as error:  # of CUDA, too: out of memory, a lost device
            reason = str(error).splitlines()[0]
            raise EngineError("face", f"the device failed: {reason}") from error
