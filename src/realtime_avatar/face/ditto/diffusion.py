"""Motion in batches of windows, a few steps at a time, so that pictures come between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_avatar.face.ditto.denoiser import FRAMES, MOTION, MotionDenoiser, Prepared
from realtime_avatar.face.ditto.graphs import Recorded, compiled
from realtime_avatar.face.ditto.sampler import Schedule, advance, schedule
from realtime_avatar.face.ditto.windows import Window

WINDOWS: Final = (1, 2, 4, 8)
"""Windows that are made in one batch, where there is a GPU."""

STEPS: Final = 5
"""Of diffusion, between which nothing else is done: 4 to 6 ms on an H200."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Recording:
    prepare: "Recorded[Prepared]"
    begin: Tensor
    pieces: "list[Recorded[Tensor]]"


class Diffusion:
    """Makes windows of motion of one batch after another.

    Args:
        denoiser: Its weights, on the device, in float32: in half precision 25 steps add up too
            much. On a GPU products are TF32.
        steps: Of diffusion, 1 to 1000.
    """

    def __init__(self, denoiser: MotionDenoiser, steps: int) -> None:
        self._denoiser = denoiser
        self._device = denoiser.final_layer.weight.device
        plan = schedule(steps)
        self._plan = Schedule(plan.times.to(self._device), plan.factors.to(self._device))
        generator = torch.Generator().manual_seed(0)
        fresh = torch.randn(steps, 1, FRAMES, MOTION, generator=generator)
        self._fresh = fresh.to(self._device)
        self._pieces = [range(at, min(at + STEPS, steps)) for at in range(0, steps, STEPS)]
        self._recorded: dict[int, _Recording] = {}
        self._batch: list[Window] = []  # that has been begun
        self._done = 0  # pieces of it
        self._prepared: Prepared | None = None
        self._x = fresh

    @property
    def parts(self) -> int:
        """Calls of `run` that a batch takes."""
        return len(self._pieces)

    def record(self, cond: int) -> None:
        """Compile and record, on a GPU. `cond`: numbers of a frame's condition."""
        self._denoiser.step = compiled(self._denoiser.step)
        shapes = ((MOTION,), (FRAMES, cond), (FRAMES, MOTION))
        for size in WINDOWS:
            frame, heard, begin = (
                torch.randn(size, *shape, device=self._device) for shape in shapes
            )
            prepare = Recorded(self._prepare, frame, heard)
            prepared = prepare(frame, heard)
            # Each writes where it read: so does the next, whose graph is another.
            pieces = [Recorded(self._in_place(prepared, begin, steps)) for steps in self._pieces]
            self._recorded[size] = _Recording(prepare, begin, pieces)

    @torch.inference_mode()
    def run(self, windows: Sequence[Window]) -> list[Floats] | None:
        """Do the next few steps for some windows; those begun before are dropped.

        Returns:
            Motion, (80, 265) for each window; None if there are more steps to do, by another
            call with the same windows.
        """
        if not (self._done and _same(self._batch, windows)):
            self._begin(list(windows))
        recording = self._recording(len(windows))
        if recording is None:
            assert self._prepared is not None
            self._x = self._some(self._prepared, self._x, self._pieces[self._done])
        else:
            recording.pieces[self._done].replay()
            self._x = recording.begin
        self._done += 1
        if self._done < len(self._pieces):
            return None
        self._batch, self._done = [], 0
        return list(self._x[: len(windows)].cpu().numpy())

    def close(self) -> None:
        """Give the device's memory back."""
        self._recorded.clear()

    def _begin(self, windows: list[Window]) -> None:
        self._batch, self._done = windows, 0
        parts = ((window.before, window.cond, window.begin) for window in windows)
        before, cond, begin = (
            torch.from_numpy(np.stack(part)).to(self._device) for part in zip(*parts, strict=True)
        )
        recording = self._recording(len(windows))
        if recording is None:
            self._prepared, self._x = self._prepare(before, cond), begin
            return
        spare = len(recording.begin) - len(windows)
        before, cond, begin = (
            torch.nn.functional.pad(x, (0, 0) * (x.ndim - 1) + (0, spare))
            for x in (before, cond, begin)
        )
        recording.begin.copy_(begin)
        recording.prepare(before, cond)

    def _recording(self, windows: int) -> _Recording | None:
        sizes = [size for size in self._recorded if size >= windows]
        return self._recorded[min(sizes)] if sizes else None

    def _prepare(self, before: Tensor, cond: Tensor) -> Prepared:
        return self._denoiser.prepare(before, cond, self._plan.times)

    def _some(self, prepared: Prepared, x: Tensor, steps: range) -> Tensor:
        return advance(self._denoiser, self._plan, prepared, x, self._fresh, steps)

    def _in_place(self, prepared: Prepared, x: Tensor, steps: range) -> Callable[[], Tensor]:
        return lambda: x.copy_(self._some(prepared, x, steps))


def _same(one: Sequence[Window], other: Sequence[Window]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
