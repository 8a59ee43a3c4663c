"""Ditto's networks on this machine: do they compute what the published ones do, and how fast.

    python benchmarks/ditto.py [--reference DIR] [--prefix P] [--speed] [--output FILE]

Prints JSON. With a GPU in float16 (motion in float32 with TF32), as it is served; without one
on the CPU in float32. A second run finds compiled kernels in TORCHINDUCTOR_CACHE_DIR.
"""

import argparse
import json
from pathlib import Path
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


def sessions(seconds: float, counts: tuple[int, ...]) -> dict[str, Any]:
    """Return what the device was measured to cost and sustain, and how late pictures were."""
    from realtime_avatar.bench.ditto_accuracy import network
    from realtime_avatar.bench.ditto_sessions import curve, device_of
    from realtime_avatar.engines.executor import Executor

    device, costs, backdrop, cond = device_of(network)
    rates = {"picture": 25.0, "motion": 5.0}
    found = anyio.run(curve, device, costs, backdrop, cond, counts, seconds)
    return {
        "costs": {kind: [cost.first, cost.more, cost.most] for kind, cost in costs.items()},
        "sustained_by_costs": Executor(device, costs, rates).capacity,
        "gpu_memory_bytes": torch.cuda.max_memory_allocated(),
        "curve": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="has an outputs.npz")
    parser.add_argument("--prefix", default="", help="before the name of every input")
    parser.add_argument("--speed", action="store_true", help="time it, too; needs a GPU")
    parser.add_argument("--sessions", type=float, default=0, metavar="SECONDS",
                        help="play sessions for so long, each count; needs a GPU")  # fmt: skip
    parser.add_argument("--counts", default="1,4,8,12,16", help="of sessions")
    parser.add_argument("--output", type=Path, help="write the JSON there, too")
    given = parser.parse_args()
    found: dict[str, Any] = {"torch": torch.__version__}
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    found["accuracy"] = accuracy(given.reference, given.prefix)
    if given.speed:
        found["speed"] = speed()
    if given.sessions:
        found["sessions"] = sessions(
            given.sessions, tuple(int(count) for count in given.counts.split(","))
        )
    text = json.dumps(found, indent=1)
    if given.output:
        given.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
