"""Ditto's networks on this machine: do they compute what the published ones do, and how fast.

    python benchmarks/ditto.py [--reference DIR] [--prefix P] [--speed] [--fp8]
        [--sessions SECONDS [--counts 1,4,8] [--heard 20,70]] [--first REPLIES] [--cards N]
        [--output FILE]

Prints JSON. With a GPU in float16 (motion in float32 with TF32), as it is served; without one
on the CPU in float32. A second run finds compiled kernels in TORCHINDUCTOR_CACHE_DIR.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import anyio
import numpy as np
import torch

from realtime_avatar.bench.ditto_accuracy import Inputs, errors
from realtime_avatar.face.ditto.networks import NETWORKS

REFERENCE = Path(__file__).parents[1] / "tests" / "fixtures" / "ditto"
TOLERANCE = {torch.float32: 2e-3, torch.float16: 2e-2}
SERVED_IN_FLOAT32 = ("lmdm", "motion_extractor", "appearance_extractor", "stitch_network")


def accuracy(folder: Path, prefix: str) -> dict[str, Any]:
    """Return the relative error of every output, and whether all are within the tolerance."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found: dict[str, Any] = {}
    right = True
    with np.load(folder / "outputs.npz") as reference:
        for name in NETWORKS:
            half = device == "cuda" and name not in SERVED_IN_FLOAT32
            kind = torch.float16 if half else torch.float32
            measured = errors(name, reference, Inputs(prefix, device), device, kind)
            limit = TOLERANCE[kind]
            right = right and all(error < limit for error in measured.values())
            found[name] = {"dtype": str(kind), "tolerance": limit, "errors": measured}
    return {"device": device, "within_tolerance": right, "networks": found}


def speed() -> dict[str, Any]:
    """Return timings; see `bench.ditto_speed` and `bench.ditto_sessions`."""
    from realtime_avatar.bench import ditto_speed

    return {
        "pictures": ditto_speed.pictures((1, 4, 8, 16)),
        "motion": ditto_speed.motion((1, 8)),
    }


def served(
    seconds: float, counts: tuple[int, ...], heard: tuple[int, ...], replies: int
) -> dict[str, Any]:
    """Return what the device was measured to cost and sustain, how late pictures were.

    And, for some replies, when their first picture came.

    Args:
        seconds: That each count of sessions is played.
        counts: Of sessions.
        heard: Frames of sound that a session makes motion of at once, each played.
        replies: So many.
    """
    from realtime_avatar.bench.ditto_accuracy import network
    from realtime_avatar.bench.ditto_sessions import Motion, backdrop_of, curve, device_of
    from realtime_avatar.engines.executor import Executor
    from realtime_avatar.face.ditto.windows import RATE

    start = perf_counter()
    device, costs, cut, cond = device_of(network)
    rates = {"picture": 25.0, "motion": RATE}
    found: dict[str, Any] = {
        "start_s": perf_counter() - start,
        "costs": {kind: [cost.first, cost.more, cost.most] for kind, cost in costs.items()},
        "sustained_by_costs": Executor(device, costs, rates).capacity,
    }
    if replies:
        found["first_picture"] = anyio.run(first, device, costs, cut, cond, replies)
    if seconds:
        backdrop = backdrop_of(device, cut)
        for frames in heard:
            motion = Motion.of(frames)
            found[f"curve_{frames}_frames_heard_at_once"] = anyio.run(
                curve, device, costs, backdrop, cond, counts, seconds, motion
            )
    found["gpu_memory_bytes"] = torch.cuda.max_memory_allocated()
    return found


async def first(device: Any, costs: Any, cut: Any, cond: int, replies: int) -> dict[str, Any]:
    """Return when first pictures came, with hearing on the CPU as it is served, and its cost."""
    from realtime_avatar.bench import ditto_hubert
    from realtime_avatar.bench.ditto_first import first_pictures
    from realtime_avatar.face.ditto.hubert import encoder

    cores = len(os.sched_getaffinity(0))
    with TemporaryDirectory() as folder:
        path = ditto_hubert.export(Path(folder))
        found: dict[str, Any] = {"hubert": ditto_hubert.cost(path, (1, 2, 4, cores))}
        for threads in (2, cores):
            hear = encoder(path, threads, "cpu")
            found[f"hearing_on_{threads}_cores"] = await first_pictures(
                device, costs, cut, cond, hear, replies
            )
    return found


def cards(count: int, arguments: list[str]) -> list[Any]:
    """Return what one worker for each card measured, all at once."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{card}.json" for card in range(count)]
        workers = [
            subprocess.Popen(
                [sys.executable, __file__, *arguments, "--output", str(file)],
                env={**os.environ, "CUDA_VISIBLE_DEVICES": str(card)},
                stdout=subprocess.DEVNULL,
            )
            for card, file in enumerate(files)
        ]
        for worker in workers:
            if worker.wait():
                sys.exit(worker.returncode)
        return [json.loads(file.read_text()) for file in files]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="has an outputs.npz")
    parser.add_argument("--prefix", default="", help="before the name of every input")
    parser.add_argument("--speed", action="store_true", help="time it, too; needs a GPU")
    parser.add_argument("--sessions", type=float, default=0, metavar="SECONDS",
                        help="play sessions for so long, each count; needs a GPU")  # fmt: skip
    parser.add_argument("--counts", default="1,4,8,12,16", help="of sessions")
    parser.add_argument("--heard", default="20",
                        help="frames that motion is made of at once; 70: of silence")  # fmt: skip
    parser.add_argument("--first", type=int, default=0, metavar="REPLIES",
                        help="time the first pictures of so many; needs a GPU")  # fmt: skip
    parser.add_argument("--fp8", action="store_true", help="try 8-bit floats; needs a GPU")
    parser.add_argument("--cards", type=int, default=1, help="GPUs, a worker for each")
    parser.add_argument("--output", type=Path, help="write the JSON there, too")
    given = parser.parse_args()
    found: dict[str, Any] = {"torch": torch.__version__}
    if given.cards > 1:
        same = ["--sessions", str(given.sessions), "--counts", given.counts]
        same += ["--heard", given.heard]
        found["cards"] = cards(given.cards, [*same, "--first", str(given.first)])
        finish(found, given.output)
        return
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    found["accuracy"] = accuracy(given.reference, given.prefix)
    if given.speed:
        found["speed"] = speed()
    if given.fp8:
        from realtime_avatar.bench.ditto_fp8 import fp8

        found["fp8"] = fp8()
    if given.sessions or given.first:
        counts, heard = _numbers(given.counts), _numbers(given.heard)
        found["sessions"] = served(given.sessions, counts, heard, given.first)
    finish(found, given.output)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def finish(found: dict[str, Any], output: Path | None) -> None:
    """Write the JSON."""
    text = json.dumps(found, indent=1)
    if output:
        output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
