"""The engine that moves photographs on a CUDA GPU, those of all sessions in batches."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

import numpy as np
from anyio import current_time
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from realtime_avatar.engines.executor import Executor, Seat
from realtime_avatar.engines.ports import Rig
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import ConfigError
from realtime_avatar.face.batch.tables import KIND
from realtime_avatar.face.enrol import enrol
from realtime_avatar.face.motion import SpeechMotion
from realtime_avatar.face.photo import Photo, PhotoFace, opened, parted
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.face.rig import Renderer
from realtime_avatar.media.picture import Frame

if TYPE_CHECKING:
    from realtime_avatar.face.batch.portrait import Portrait

FPS: Final = 25
"""Pictures a second that sessions are expected to ask for."""

CARRIED: Final = 150
"""Sessions of one process: slow hosts pass no more on to a GPU, though it has time for them."""

KINDS: Final = (KIND, "core")
"""Where a picture is painted: by the GPU; where that is late again and again, by a core."""


class _Options(BaseModel, extra="forbid"):
    """What an owner may set.

    Attributes:
        device: "cuda:0", …; by default the settings', where "auto" is the first GPU.
        sessions: At most; by default as many as the device was measured to sustain.
    """

    device: str = ""
    sessions: Annotated[int | None, Field(ge=1)] = None


class PhotoGpu:
    """Makes portraits speak by warping them, on a GPU. What it shows is what `Photo` shows.

    Raises:
        ConfigError: if PyTorch, Triton or a GPU is missing.
        ModelMissing: if the face landmarker is not there.
    """

    models: ClassVar[tuple[str, ...]] = Photo.models

    def __init__(self, context: Context) -> None:
        options = context.parse(_Options)
        device = _device(options.device or context.device)
        from realtime_avatar.face.batch.device import MeshDevice

        self._photo = Photo(Context(context.store, context.threads))
        self._device = MeshDevice(device)
        portrait = read_portrait(default_portrait())
        example, _ = enrol(self._photo.landmarker, portrait, (512, 512))
        costs = self._device.prepare(example)
        self._executor: Executor[Any, Any] = Executor(
            self._device, costs, {KIND: float(FPS)}, sessions=options.sessions, most=CARRIED
        )

    @property
    def capacity(self) -> int:
        """How many sessions the device sustains."""
        return self._executor.capacity

    async def enrol(
        self, portrait: NDArray[np.uint8], *, size: tuple[int, int] | None = None
    ) -> Rig:
        """Make a portrait ready to move. See `FaceEngine.enrol`."""
        return await self._photo.enrol(portrait, size=size)

    @asynccontextmanager
    async def open(self, rig: Rig, *, fps: int = 25) -> AsyncGenerator["BatchedFace"]:
        """Open a session that moves this rig.

        Raises:
            CapacityError: if the device does not sustain one more.
            ConfigError: if the rig is not one of this engine's, or `fps` makes no sense.
        """
        data, motion = await opened(rig, fps)
        with self._executor.seat() as seat:
            portrait = await step(lambda: self._device.painter.portrait(data))
            yield BatchedFace(await step(lambda: Renderer(data)), motion, seat, portrait)

    def close(self) -> None:
        """Nothing to let go of but memory."""
        self._photo.close()


class BatchedFace(PhotoFace):
    """One session; see `PhotoFace`.

    Args:
        renderer: Paints where the device is late.
        motion: Of the session.
        seat: The session's place at the device.
        portrait: The portrait there.
    """

    def __init__(
        self,
        renderer: Renderer,
        motion: SpeechMotion,
        seat: Seat[Any, Any],
        portrait: "Portrait",
    ) -> None:
        super().__init__(renderer, motion)
        self._seat, self._portrait, self._frame_s = seat, portrait, 1 / motion.fps

    async def _painted(
        self, row: Callable[[], NDArray[np.float32]], start: int | None
    ) -> tuple[NDArray[np.float32], Frame | None]:
        from realtime_avatar.face.batch.portrait import Picture  # imports PyTorch

        joined = await step(lambda: self._continuity.join(row(), said=start is not None))
        if self._late(start):
            return joined, None
        weights, pose = parted(joined)

        async def elsewhere() -> Frame:
            return await step(lambda: self._renderer.render(weights, pose))

        job, due = Picture(self._portrait, weights, pose), current_time() + self._frame_s
        found = await self._seat.do(job, due, *KINDS, must=True, elsewhere=elsewhere)
        assert found is not None
        return joined, found[1]


def _device(wanted: str) -> str:
    """Return the device's name for PyTorch.

    Raises:
        ConfigError: if there is no PyTorch or no Triton, or no such GPU.
    """
    try:
        import torch
        import triton  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]
    except ImportError:
        raise ConfigError(
            "the face engine 'photo-gpu' needs PyTorch with Triton;"
            " install them: pip install 'realtime-avatar[gpu]'"
        ) from None
    name = "cuda:0" if wanted == "auto" else wanted
    try:
        if not name.startswith("cuda"):
            raise ConfigError(f"the face engine 'photo-gpu' needs a CUDA GPU, not {name!r}")
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError):
        raise ConfigError(
            f"the face engine 'photo-gpu' needs a CUDA GPU and {name!r} is none; choose the face"
            " 'photo', which needs no more than a core"
        ) from None
    return name
