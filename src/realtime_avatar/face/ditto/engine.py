"""The engine that shows a neural face, on a CUDA GPU."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import platformdirs
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from realtime_avatar.engines.ports import Rig
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import beside, step
from realtime_avatar.errors import ConfigError, InputError
from realtime_avatar.face import eyes as face_eyes
from realtime_avatar.face import mouth, render
from realtime_avatar.face.enrol import enrol
from realtime_avatar.face.landmarks import FaceLandmarker

if TYPE_CHECKING:
    from realtime_avatar.face.ditto.session import DittoFace

_SMALLEST, _LARGEST = 64, 1920  # sides of a picture, pixels


class _Options(BaseModel, extra="forbid"):
    """What an owner may set.

    Attributes:
        checkpoint: A folder as it is published; by default the store's.
        device: "cuda:0", "cpu", …; by default the settings', where "auto" is a GPU or nothing.
        steps: Of diffusion.
        emotion: How the face feels where the speech does not say.
        batch: Pictures computed at once, at most.
        side: Of the square that moves, pixels; the networks learned 512.
        pictures: "network", or "mesh": Ditto's motion moves the mesh face, where the card is too
            small for the decoder; "auto" is the network if it keeps up with one session.
        sessions: At most; by default as many as the device was measured to sustain.
    """

    checkpoint: Path | None = None
    device: str = ""
    steps: Annotated[int, Field(ge=1, le=1000)] = 25
    emotion: str = "neutral"
    batch: Annotated[int, Field(ge=1, le=8)] = 8
    side: Annotated[int, Field(ge=64, le=512, multiple_of=64)] = 512
    pictures: Literal["auto", "network", "mesh"] = "auto"
    sessions: Annotated[int | None, Field(ge=1)] = None


class Ditto:
    """Makes a portrait speak by diffusion and warping.

    Raises:
        ConfigError: if PyTorch or a GPU is missing, or the checkpoint's config does not fit.
        ModelMissing: if the weights or the face landmarker are not there.
    """

    models: ClassVar[tuple[str, ...]] = ("ditto", "face-landmarker")

    def __init__(self, context: Context) -> None:
        options = context.parse(_Options)
        device = _device(options.device or context.device)
        from realtime_avatar.engines.executor import Executor
        from realtime_avatar.face.ditto import checkpoint, hubert, tensorrt
        from realtime_avatar.face.ditto.condition import EMOTIONS
        from realtime_avatar.face.ditto.denoiser import FPS
        from realtime_avatar.face.ditto.device import DittoDevice, cache_compiled
        from realtime_avatar.face.ditto.painter import KINDS
        from realtime_avatar.face.ditto.windows import RATE

        if options.emotion not in EMOTIONS:
            raise ConfigError(f"there is no emotion {options.emotion!r}: {', '.join(EMOTIONS)}")
        weights = checkpoint.load(options.checkpoint or context.store.path("ditto"))
        folder = context.store.path("face-landmarker")
        self._landmarker = FaceLandmarker(folder / "face_landmarker.task")
        self._side, self._emotion = options.side, options.emotion
        self._wanted, self._limits = weights.wanted, weights.limits
        kind = device.partition(":")[0]
        self._encode = hubert.encoder(weights.hubert, context.threads, kind)
        self._silence = hubert.silence(self._encode).mean(0)
        cache_compiled(platformdirs.user_cache_path("realtime-avatar") / "compiled")
        for module in (render, face_eyes, mouth):  # for the mesh face
            module.compile_kernels()
        kinds = () if options.pictures == "mesh" else KINDS
        self._device = DittoDevice(weights, device, options.steps, options.batch, kinds)
        costs = self._device.prepare(
            self._wanted.width, self._side // 8, engines=tensorrt.default_folder()
        )
        alone = min((costs[kind].first for kind in self._device.kinds), default=0)
        if options.pictures == "auto" and FPS * alone > 1:
            self._device.kinds = ()
        rates = {"motion": RATE}
        if self._device.kinds:
            rates["picture"] = float(FPS)
        self._executor: Executor[Any, Any] = Executor(
            self._device, costs, rates, sessions=options.sessions
        )

    @property
    def capacity(self) -> int:
        """How many sessions the device sustains."""
        return self._executor.capacity

    async def enrol(
        self, portrait: NDArray[np.uint8], *, size: tuple[int, int] | None = None
    ) -> Rig:
        """Make a portrait ready to move. See `FaceEngine.enrol`."""
        from realtime_avatar.face.ditto.portrait import DittoRig, cut

        if portrait.ndim != 3 or portrait.shape[2] != 3 or portrait.dtype != np.uint8:
            raise InputError("a portrait must be an RGB picture")
        if size and any(side % 2 or not _SMALLEST <= side <= _LARGEST for side in size):
            raise InputError(
                f"a picture must have even sides of {_SMALLEST} to {_LARGEST} pixels,"
                f" not {size[0]}x{size[1]}"
            )

        def work() -> DittoRig:
            made = cut(self._landmarker, portrait, size, self._side // 2)
            high, wide, _ = made.frame.shape
            photo, _ = enrol(self._landmarker, portrait, (wide, high))
            return DittoRig(made, *self._device.measure(made.square), photo)

        rig = await step(work)
        high, wide, _ = rig.cut.frame.shape
        return Rig(wide, high, rig, rig.cut.remarks)

    @asynccontextmanager
    async def open(self, rig: Rig, *, fps: int = 25) -> AsyncGenerator["DittoFace"]:
        """Open a session that moves this rig.

        Raises:
            CapacityError: if the device does not sustain one more.
            ConfigError: if the rig is not one of this engine's, or `fps` makes no sense.
        """
        from realtime_avatar.face.ditto.portrait import DittoRig
        from realtime_avatar.face.ditto.session import DittoFace, Tools

        if not isinstance(rig.data, DittoRig):
            raise ConfigError("this portrait was enrolled by another face engine")
        if fps not in (25, 30, 50):
            raise ConfigError(f"25, 30 or 50 frames a second, not {fps}")
        tools = Tools(
            self._device, self._encode, self._wanted, self._limits, self._silence, self._emotion
        )
        with self._executor.seat() as seat:
            async with beside() as tasks:
                yield await step(lambda: DittoFace(rig.data, tools, seat, fps, tasks))

    def close(self) -> None:
        """Let go of the device's memory. Idempotent."""
        self._device.close()


def _device(wanted: str) -> str:
    """Return the device's name for PyTorch.

    Raises:
        ConfigError: if there is no PyTorch or no such device.
    """
    try:
        import torch
    except ImportError:
        raise ConfigError(
            "the face engine 'ditto' needs PyTorch; install it: pip install 'realtime-avatar[gpu]'"
        ) from None
    if wanted == "auto":
        if not torch.cuda.is_available():
            raise ConfigError(
                "the face engine 'ditto' needs a CUDA GPU and there is none; choose the face"
                " 'photo', or device = \"cpu\", which takes minutes for a second"
            )
        return "cuda:0"
    try:
        torch.empty(1, device=wanted)
    except (RuntimeError, AssertionError):
        raise ConfigError(f"there is no device {wanted!r} for the face engine 'ditto'") from None
    return wanted
