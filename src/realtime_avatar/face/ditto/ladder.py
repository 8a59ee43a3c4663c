"""Less and less, where the device is late: a smaller picture, the mouth alone, the mesh face.

From the mouth on the portrait is still, so before that the head goes back to where the portrait
has it; the mesh face begins and ends there too. So no step is a jump.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.executor import Seat
from realtime_avatar.engines.runtime import step
from realtime_avatar.face.ditto.painter import Backdrop, Picture
from realtime_avatar.face.rig import PhotoRig, Renderer
from realtime_avatar.media.motion import ARKIT
from realtime_avatar.media.picture import Frame

Floats = NDArray[np.float32]

MESH: Final = "mesh"
"""The last step: pictures that this machine's processor makes."""

COLUMNS: Final = (63, 126, 126 + len(ARKIT) + 6)
"""Where parts of a row end: keypoints, those of a still head that speaks, weights and pose."""

_WHOLE: Final = ("picture", "small")  # those in which the head moves
_CALM_S: Final = 0.4  # seconds in which it comes to rest, or begins to move
_FACE: Final = [number for number, name in enumerate(ARKIT) if not name.startswith("mouth")
                and not name.startswith("jaw")]  # fmt: skip


class Ladder:
    """One session's pictures.

    Args:
        seat: The session's place at the device.
        kinds: What the device paints, the best first.
        backdrop: The portrait there.
        source: float32 (21, 3), where its keypoints are.
        photo: The portrait for the mesh face.
        fps: Pictures a second.
    """

    def __init__(
        self,
        seat: Seat[Any, Any],
        kinds: Sequence[str],
        backdrop: Backdrop,
        source: Floats,
        photo: PhotoRig,
        fps: int,
    ) -> None:
        self._seat, self._backdrop, self._source = seat, backdrop, source
        self._kinds = (*kinds, MESH)
        self._photo, self._renderer = photo, None
        self._frames = round(_CALM_S * fps)
        self._calm = 0
        """Frames that the head has come to rest; after all what is seen may be another's."""
        self._free = 0 if kinds else self._frames
        """Frames that the mesh's head has begun to move."""
        self.shown = self._kinds[0]
        """What the last picture was painted as."""

    async def paint(self, row: Floats, due: float, *, must: bool) -> Frame | None:
        """Return the next picture; None if it comes too late to be seen.

        Args:
            row: float32 (184,), see `COLUMNS`.
            due: On the event loop's clock.
            must: Whether it is of use however late.
        """
        moving, still, mesh = np.split(row, COLUMNS[:2])
        kinds = self._now()
        driving = (moving + self._calm / self._frames * (still - moving)).astype(np.float32)
        job = Picture(self._backdrop, self._source, driving.reshape(21, 3))

        async def elsewhere() -> Frame:
            return await step(lambda: self._render(mesh))

        last = elsewhere if kinds[-1] == MESH else None
        found = await self._seat.do(job, due, *kinds, must=must, elsewhere=last)
        if found is None:
            return None
        self.shown = found[0]
        return found[1]

    def _now(self) -> tuple[str, ...]:
        """Return what the next picture may be painted as, and go on towards what is allowed."""
        if len(self._kinds) == 1:
            return self._kinds
        allowed = self._kinds[min(self._seat.step, len(self._kinds) - 1)]
        if allowed == MESH and self._calm == self._frames:
            self._free = min(self._frames, self._free + 1)
        elif self._free:
            self._free -= 1
            return (MESH,)
        else:
            way = -1 if allowed in _WHOLE else 1
            self._calm = min(self._frames, max(0, self._calm + way))
        if self._calm == self._frames:
            return self._kinds
        return tuple(kind for kind in self._kinds if kind in _WHOLE)

    def _render(self, mesh: Floats) -> Frame:
        if self._renderer is None:
            self._renderer = Renderer(self._photo)
        weights, pose = mesh[: len(ARKIT)].clip(0, 1), mesh[len(ARKIT) :]
        free = np.float32(self._free / self._frames)
        weights[_FACE] *= free
        return self._renderer.render(weights, pose * free)
