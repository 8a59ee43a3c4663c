"""The mesh face on a GPU: is it the one that a core paints, how fast, for how many sessions."""

from collections.abc import Sequence
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final

import anyio
import numpy as np
import torch
from anyio import current_time, sleep_until
from numpy.typing import NDArray

from realtime_avatar.engines.executor import Cost, Executor
from realtime_avatar.face import eyes, mouth, render
from realtime_avatar.face.batch.device import MeshDevice
from realtime_avatar.face.batch.painter import Painter
from realtime_avatar.face.batch.portrait import Picture, Portrait
from realtime_avatar.face.batch.tables import KIND
from realtime_avatar.face.rig import PhotoRig, Renderer
from realtime_avatar.media.motion import ARKIT, INDEX

FPS: Final = 25
Floats = NDArray[np.float32]


def motions(count: int, seed: int = 0) -> list[tuple[Floats, Floats]]:
    """Return weights and poses of faces that speak, look about and blink."""
    random, found = np.random.default_rng(seed), list[tuple[Floats, Floats]]()
    for _ in range(count):
        weights = (0.3 * random.random(len(ARKIT)) ** 3).astype(np.float32)
        weights[INDEX["jawOpen"]] = 0.5 * random.random()
        for side in ("Left", "Right"):
            weights[INDEX[f"eyeBlink{side}"]] = random.random() ** 4
        pose = random.normal(0, [0.08, 0.06, 0.03, 0.01, 0.01, 0.01]).astype(np.float32)
        found.append((weights, pose))
    return found


def accuracy(painter: Painter, rig: PhotoRig, count: int = 32) -> dict[str, float]:
    """Return how far the GPU's pictures are from a core's, and how long a core takes."""
    for module in (render, eyes, mouth):
        module.compile_kernels()
    renderer, portrait = Renderer(rig), painter.portrait(rig)
    errors, spent = list[Floats](), list[float]()
    for weights, pose in motions(count):
        start = perf_counter()
        wanted = renderer.render(weights, pose)
        spent.append(perf_counter() - start)
        found = painter.painted([Picture(portrait, weights, pose)])[0].cpu().numpy()
        errors.append(np.abs(found.astype(np.float32) - wanted))
    off = np.stack(errors)
    return {
        "pictures": count,
        "mean_levels": float(off.mean()),
        "p99.9_levels": float(np.percentile(off, 99.9)),
        "worst_psnr_db": float(min(10 * np.log10(255**2 / np.square(e).mean()) for e in errors)),
        "core_ms": 1000 * median(spent),
    }


def speed(painter: Painter, rig: PhotoRig, sizes: Sequence[int], runs: int = 20) -> list[Any]:
    """Return milliseconds a picture in batches, fetched to the host; medians."""
    portraits = [painter.portrait(rig) for _ in range(max(sizes))]
    made, found = motions(len(portraits)), list[Any]()
    for size in sizes:
        jobs = [
            Picture(portrait, *motion)
            for portrait, motion in zip(portraits[:size], made[:size], strict=True)
        ]
        painter.paint(jobs)
        spent: list[float] = []
        for _ in range(runs):
            start = perf_counter()
            painter.paint(jobs)
            spent.append(perf_counter() - start)
        found.append({"batch": size, "ms_a_picture": 1000 * median(spent) / size})
    return found


def sessions(
    device: MeshDevice, costs: dict[str, Cost], rig: PhotoRig, counts: Sequence[int], seconds: float
) -> list[Any]:
    """Return for each count of sessions how late their pictures were, in one process.

    Every session asks for a picture each 40 ms, one frame before it is due.
    """
    return [anyio.run(_played, device, costs, rig, count, seconds) for count in counts]


async def _played(
    device: MeshDevice, costs: dict[str, Cost], rig: PhotoRig, count: int, seconds: float
) -> dict[str, Any]:
    executor: Executor[Any, Any] = Executor(device, costs, {KIND: float(FPS)}, sessions=count)
    portraits = [device.painter.portrait(rig) for _ in range(count)]
    made, late = motions(50), list[float]()

    async def play(portrait: Portrait, number: int) -> None:
        start = current_time() + 0.2 + number / count / FPS
        with executor.seat() as seat:
            for frame in range(int(seconds * FPS)):
                due = start + frame / FPS
                await sleep_until(due - 1 / FPS)
                await seat.do(Picture(portrait, *made[(frame + number) % 50]), due, KIND, must=True)
                late.append(max(0.0, current_time() - due))

    async with anyio.create_task_group() as tasks:
        for number, portrait in enumerate(portraits):
            tasks.start_soon(play, portrait, number)
    cut = quantiles(late, n=100)
    return {
        "sessions": count,
        "seconds": seconds,
        "pictures": len(late),
        "p50_late_ms": 1000 * cut[49],
        "p99_late_ms": 1000 * cut[98],
        "gpu_memory_bytes": torch.cuda.max_memory_allocated(),
    }
