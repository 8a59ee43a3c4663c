"""All of Ditto's networks on one device, as jobs that an executor batches."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_avatar.engines.executor import Cost
from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import EngineError
from realtime_avatar.face.ditto.checkpoint import Checkpoint
from realtime_avatar.face.ditto.denoiser import FRAMES, MOTION
from realtime_avatar.face.ditto.diffusion import WINDOWS, Diffusion
from realtime_avatar.face.ditto.painter import BATCHES, KINDS, Backdrop, Painter, Picture
from realtime_avatar.face.ditto.portrait import Cut
from realtime_avatar.face.ditto.pose import Source
from realtime_avatar.face.ditto.windows import Window
from realtime_avatar.media.picture import Frame

Floats = NDArray[np.float32]
Job = Window | Picture
Result = Floats | Frame


class DittoDevice:
    """Computes measurements, motion and pictures.

    Args:
        checkpoint: The networks.
        device: "cuda:0", "cpu", …
        steps: Of diffusion, 1 to 1000.
        batch: The largest number of pictures in one batch.
        kinds: Of pictures, of the painter's.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str,
        steps: int,
        batch: int,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        self._device = torch.device(device)
        self._painter = Painter(checkpoint.warp, checkpoint.decoder, self._device)
        self._appearance = checkpoint.appearance.to(self._device)
        self._motion = checkpoint.motion.to(self._device)
        self._stitch = checkpoint.stitch.eval()
        self._diffusion = Diffusion(checkpoint.denoiser.to(self._device), steps)
        self.batches = tuple(size for size in BATCHES if size <= batch)
        self._levels = len(checkpoint.warp.dense_motion_network.hourglass.downs)
        self.kinds = tuple(kinds)
        """Of pictures that it paints, the best first."""

    def prepare(
        self, cond: int, side: int, clock: Callable[[], float] = perf_counter,
        engines: Path | None = None,
    ) -> dict[str, Cost]:  # fmt: skip
        """Compile, record and measure; return what each kind of job costs.

        Args:
            cond: Numbers of a frame's condition.
            side: Of the volume, places.
            clock: Seconds.
            engines: Folder of TensorRT's; see `Painter.prepare`.
        """
        depth, channels = 16, self._appearance.second.out_channels // 16
        slices = torch.randn(depth, side, side, channels, device=self._device)
        slices = slices.to(self._painter.kind)
        if side // 2 % 2**self._levels:  # too small to be halved once more
            self.kinds = tuple(kind for kind in self.kinds if kind != "mouth")
        cuda = self._device.type == "cuda"
        if cuda:
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.benchmark = True
            self._painter.prepare(slices, self.batches, self.kinds, engines)
            self._diffusion.record(cond)
        window = Window(
            *(
                np.random.default_rng(0).standard_normal(shape, np.float32)
                for shape in ((MOTION,), (FRAMES, cond), (FRAMES, MOTION))
            )
        )
        backdrop = self._example(slices)
        still = np.zeros((21, 3), np.float32)

        def paint(kind: str, jobs: int) -> Callable[[], object]:
            pictures = [Picture(backdrop, still, still)] * jobs
            return lambda: self._run(kind, pictures)

        def think(jobs: int) -> Callable[[], object]:
            def whole() -> None:
                while self._run("motion", [window] * jobs) is None:
                    pass

            return whole

        motion = _cost(clock, think, WINDOWS if cuda else (1,))
        costs = {"motion": replace(motion, parts=self._diffusion.parts)}
        for kind in self.kinds:
            costs[kind] = _cost(clock, lambda jobs, kind=kind: paint(kind, jobs), self.batches)
        return costs

    @torch.inference_mode()
    def measure(self, square: NDArray[np.uint8]) -> tuple[Source, NDArray[np.float16]]:
        """Return what the networks see in a portrait: its motion and keypoints, its volume.

        Args:
            square: RGB, half of the pictures' side.

        Returns:
            The source, and (depth, height, width, channels).
        """
        rgb = torch.from_numpy(square).to(self._device).float() / 255
        picture = rgb.movedim(-1, 0)[None]
        seen = self._motion(picture)
        parts = (seen.scale - 1, seen.pitch, seen.yaw, seen.roll, seen.t, seen.exp)
        motion = torch.cat(parts, 1)[0].float().cpu().numpy()
        kp = seen.kp[0].float().cpu().numpy().reshape(21, 3)
        volume = self._appearance(picture)[0].permute(1, 2, 3, 0)
        return Source(motion, kp), volume.half().cpu().numpy()

    @torch.inference_mode()
    def stitch(self, source: Floats, driving: Floats) -> Floats:
        """Return the driving keypoints, stitched, (frames, 21, 3). On the CPU: they are few."""
        kept = torch.from_numpy(source).expand(len(driving), -1, -1)
        return self._stitch(kept, torch.from_numpy(driving)).numpy()

    @property
    def painter(self) -> Painter:
        """What makes pictures."""
        return self._painter

    async def run(self, kind: str, jobs: Sequence[Job]) -> Sequence[Result] | None:
        """Compute a batch; see `Device.run`."""
        try:
            return await step(lambda: self._run(kind, jobs))
        except RuntimeError as error:  # of CUDA, too: out of memory, a lost device
            reason = str(error).splitlines()[0]
            raise EngineError("face", f"the device failed: {reason}") from error

    def close(self) -> None:
        """Give the device's memory back."""
        self._diffusion.close()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _example(self, slices: Tensor) -> Backdrop:
        """Return a portrait of a usual size, to measure with."""
        frame = np.zeros((720, 720, 3), np.uint8)
        way = np.array([[1.0, 0, 100], [0, 1.0, 60]])
        cut = Cut(frame, frame, way, np.zeros(8, np.float32), ())
        numbers = slices.half().cpu().numpy()
        return Backdrop(cut, numbers, self._device, self._painter.kind)

    def _run(self, kind: str, jobs: Sequence[Job]) -> Sequence[Result] | None:
        pictures = [job for job in jobs if isinstance(job, Picture)]
        if pictures:
            return self._painter.paint(kind, pictures)
        return self._diffusion.run([job for job in jobs if isinstance(job, Window)])


def cache_compiled(folder: Path) -> None:
    """Keep what is compiled in a folder, so that only the first start takes minutes."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))
    os.environ.setdefault("TORCHINDUCTOR_FX_GRAPH_CACHE", "1")


def _cost(
    clock: Callable[[], float], work: Callable[[int], Callable[[], object]], sizes: tuple[int, ...]
) -> Cost:
    """Measure a batch of one and a full one."""
    most = sizes[-1]

    def seconds(jobs: int) -> float:
        run = work(jobs)
        run()
        taken: list[float] = []
        for _ in range(3):
            start = clock()
            run()
            taken.append(clock() - start)
        return min(taken)

    first = seconds(1)
    more = (seconds(most) - first) / (most - 1) if most > 1 else first
    return Cost(first, max(more, 0.0), most, sizes)
