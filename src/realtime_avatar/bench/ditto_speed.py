"""How fast Ditto's networks are on a GPU, served and as published, in the same run."""

import copy
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from realtime_avatar.bench.ditto_accuracy import Inputs, network
from realtime_avatar.face.ditto.graphs import Recorded, compiled
from realtime_avatar.face.ditto.painter import Painter, nv12
from realtime_avatar.face.ditto.sampler import Schedule, sample, schedule

_RUNS = 20


def milliseconds(work: Callable[[], Any], runs: int = _RUNS) -> float:
    """Return the median time of some runs on the GPU, after one that is not counted."""
    work()
    torch.cuda.synchronize()
    taken: list[float] = []
    for _ in range(runs):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        taken.append(start.elapsed_time(end))
    return median(taken)


@torch.inference_mode()
def pictures(batches: tuple[int, ...]) -> dict[str, Any]:
    """Measure warp and decoder: ms a frame, and the relative error of the picture."""
    torch.backends.cudnn.benchmark = True
    warp, decoder = network("warp_network", "cuda"), network("decoder", "cuda")
    device, give = torch.device("cuda"), Inputs(device="cuda")
    start = perf_counter()
    painter = Painter(network("warp_network"), network("decoder"), device)
    volume = give("feature_3d", 1, 32, 16, 64, 64)
    painter.prepare(volume[0].permute(1, 2, 3, 0).half().contiguous(), batches)
    found: dict[str, Any] = {"compile_s": perf_counter() - start}
    for batch in batches:
        volume = give("feature_3d", batch, 32, 16, 64, 64)
        slices = volume.permute(0, 2, 3, 4, 1).half().contiguous()
        source, driving = give.keypoints(batch)

        def eager(
            volume: Tensor = volume, source: Tensor = source, driving: Tensor = driving
        ) -> Tensor:
            with torch.autocast("cuda", torch.float16):
                return decoder(warp(volume, source, driving))

        def served(
            kind: str,
            slices: Tensor = slices,
            source: Tensor = source,
            driving: Tensor = driving,
        ) -> Tensor:
            return painter.faces(kind, slices, source, driving)

        wanted = decoder(warp(volume[:1], source[:1], driving[:1]))
        picture = served("picture")[:1].float()
        found[str(batch)] = {
            "eager_fp16_ms": milliseconds(eager, 5) / batch,
            "served_ms": milliseconds(lambda served=served: served("picture")) / batch,
            "small_ms": milliseconds(lambda served=served: served("small")) / batch,
            "error": float((picture - wanted).norm() / wanted.norm()),
        }
    frame = torch.randint(0, 256, (1080, 1080, 3), dtype=torch.uint8, device="cuda")
    to_nv12 = Recorded(compiled(nv12), frame)
    found["nv12_1080x1080_ms"] = milliseconds(to_nv12.replay)
    return found


@torch.inference_mode()
def motion(batches: tuple[int, ...], steps: int = 25) -> dict[str, Any]:
    """Measure windows of 80 frames: ms for a batch, and the relative error of the motion."""
    model, give = network("lmdm", "cuda"), Inputs(device="cuda")
    plan = schedule(steps)
    plan = Schedule(plan.times.cuda(), plan.factors.cuda())
    start = perf_counter()
    fast = copy.deepcopy(model)
    fast.step = compiled(fast.step)
    found: dict[str, Any] = {"steps": steps}
    for batch in batches:
        frame, cond = give("cond_frame", batch, 265), give("cond", batch, 80, 1059)
        begin, fresh = give("begin", batch, 80, 265), give("fresh", steps, 1, 80, 265)

        def run(frame: Tensor, cond: Tensor, begin: Tensor, fresh: Tensor = fresh) -> Tensor:
            return sample(model, plan, frame, cond, begin, fresh)

        def run_fast(frame: Tensor, cond: Tensor, begin: Tensor, fresh: Tensor = fresh) -> Tensor:
            return sample(fast, plan, frame, cond, begin, fresh)

        def eagerly(frame: Tensor = frame, cond: Tensor = cond, begin: Tensor = begin) -> Tensor:
            return run(frame, cond, begin)

        torch.backends.cuda.matmul.allow_tf32 = False
        wanted = run(frame, cond, begin)
        eager = milliseconds(eagerly, 3)
        torch.backends.cuda.matmul.allow_tf32 = True
        recorded = Recorded(run_fast, frame, cond, begin)
        made = recorded(frame, cond, begin)
        found[str(batch)] = {
            "eager_fp32_ms": eager,
            "served_ms": milliseconds(recorded.replay),
            "error": float((made - wanted).norm() / wanted.norm()),
        }
    found["compile_s"] = perf_counter() - start
    return found
