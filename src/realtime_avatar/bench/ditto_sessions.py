"""How many sessions one GPU sustains: made-up sessions on the real device and executor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Self

import anyio
import numpy as np
from anyio import Event, current_time, sleep_until

from realtime_avatar.engines.executor import Cost, Executor, Seat
from realtime_avatar.face.ditto.checkpoint import Checkpoint
from realtime_avatar.face.ditto.condition import Wanted
from realtime_avatar.face.ditto.denoiser import FPS
from realtime_avatar.face.ditto.device import DittoDevice
from realtime_avatar.face.ditto.painter import BATCHES, Backdrop, Picture
from realtime_avatar.face.ditto.portrait import Cut
from realtime_avatar.face.ditto.windows import USUAL, Window

_AHEAD = 1 / FPS  # seconds before it is shown that a picture is asked for


@dataclass(frozen=True, slots=True)
class Motion:
    """How a session asks for motion.

    Attributes:
        frames: That a window makes motion of.
        before: Seconds before the first of them is shown that it is asked for.
        within: Seconds in which it should be done.
    """

    frames: int
    before: float
    within: float

    @classmethod
    def of(cls, frames: int) -> Self:
        """Return it as `face.ditto.ahead` asks.

        Args:
            frames: 20 of a speech that is ahead; fewer where the voice gives no more sound before
                it has to be shown; 70 of the life between.
        """
        return cls(frames, 0.2, 0.1) if frames < USUAL else cls(frames, 1.2, 1.0)


async def curve(
    device: DittoDevice,
    costs: dict[str, Cost],
    backdrop: Backdrop,
    cond: int,
    counts: tuple[int, ...],
    seconds: float,
    motion: Motion,
) -> list[dict[str, Any]]:
    """Return for each count of sessions how late their pictures were.

    Every session asks for a picture each 40 ms, one frame before it is due and not before there
    is motion of it; they begin at moments of their own.
    """
    found: list[dict[str, Any]] = []
    for count in counts:
        rates = {"picture": float(FPS), "motion": FPS / motion.frames}
        watched = _Watched(device)
        executor: Executor[Any, Any] = Executor(watched, costs, rates, sessions=count)
        late: list[float] = []
        shown: list[str] = []
        async with anyio.create_task_group() as tasks:
            for number in range(count):
                tasks.start_soon(
                    _session, executor, backdrop, cond,
                    number / count * motion.frames / FPS, seconds, motion,
                    device.kinds, late, shown,
                )  # fmt: skip
        cut = quantiles(late, n=100)
        found.append(
            {
                "sessions": count,
                "pictures": len(late),
                "p50_late_ms": 1000 * cut[49],
                "p99_late_ms": 1000 * cut[98],
                "left_out": shown.count(""),
                **{kind: shown.count(kind) for kind in device.kinds[1:]},
                "device_busy": watched.busy / seconds,
                "device_busy_with_motion": watched.motion / seconds,
            }
        )
    return found


class _Watched:
    """A device whose time is counted."""

    def __init__(self, device: DittoDevice) -> None:
        self._device = device
        self.busy = self.motion = 0.0

    async def run(self, kind: str, jobs: Sequence[Any]) -> Sequence[Any] | None:
        start = current_time()
        found = await self._device.run(kind, jobs)
        self.busy += current_time() - start
        if kind == "motion":
            self.motion += current_time() - start
        return found


async def _session(
    executor: Executor[Any, Any],
    backdrop: Backdrop,
    cond: int,
    offset: float,
    seconds: float,
    motion: Motion,
    kinds: tuple[str, ...],
    late: list[float],
    shown: list[str],
) -> None:
    start = current_time() + 0.1 + motion.before + offset
    frames = int(seconds * FPS)
    moved = [Event() for _ in range(0, frames, motion.frames)]
    with executor.seat() as seat:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_think, seat, cond, start, motion, moved)
            random = np.random.default_rng(int(start * 1e6) % 2**31)
            source = 0.2 * random.standard_normal((21, 3), np.float32)
            for frame in range(frames):
                due = start + frame / FPS
                await sleep_until(due - _AHEAD)
                await moved[frame // motion.frames].wait()
                driving = source + 0.05 * random.standard_normal((21, 3), np.float32)
                picture = Picture(backdrop, source, driving.astype(np.float32))
                found = await seat.do(picture, due, *kinds)
                shown.append(found[0] if found else "")
                late.append(max(0.0, current_time() - due) if found else 1.0)


async def _think(
    seat: Seat[Any, Any], cond: int, start: float, motion: Motion, moved: list[Event]
) -> None:
    random = np.random.default_rng(int(start * 1e6) % 2**31)
    for number, done in enumerate(moved):
        asked = start + number * motion.frames / FPS - motion.before
        await sleep_until(asked)
        window = Window(
            random.standard_normal(265, np.float32),
            random.standard_normal((80, cond), np.float32),
            random.standard_normal((80, 265), np.float32),
        )
        await seat.do(window, asked + motion.within, "motion", must=True)
        done.set()


def device_of(
    network: Callable[[str], Any], steps: int = 25
) -> tuple[DittoDevice, dict[str, Cost], Cut, int]:
    """Return a prepared GPU with made-up weights, its costs, and a portrait.

    The last of the four is how many numbers a frame is told.
    """
    wanted = Wanted(emotion=True, eye_open=True, eye_ball=True, face=True)
    checkpoint = Checkpoint(
        network("appearance_extractor"), network("motion_extractor"), network("warp_network"),
        network("decoder"), network("stitch_network"), network("lmdm"), wanted, Path(), None,
    )  # fmt: skip
    device = DittoDevice(checkpoint, "cuda:0", steps, max(BATCHES))
    cond = int(checkpoint.denoiser.cond_projection.in_features)
    costs = device.prepare(cond, 64)
    frame = np.random.default_rng(0).integers(0, 256, (720, 720, 3), np.uint8)
    way = np.array([[1.0, 0, 100], [0, 1.0, 60]])
    cut = Cut(frame, frame[:256, :256], way, np.zeros(8, np.float32), ())
    return device, costs, cut, cond


def backdrop_of(device: DittoDevice, cut: Cut) -> Backdrop:
    """Return a portrait on the device."""
    _, slices = device.measure(cut.square)
    return Backdrop(cut, slices, device.painter.device, device.painter.kind)
