"""The mesh face on this machine's GPU: the same pictures as a core's, how fast, how many sessions.

    python benchmarks/mesh.py [--side PIXELS] [--sessions SECONDS [--counts 50,100]] [--output FILE]

Prints JSON. Needs CUDA, or TRITON_INTERPRET=1, which checks the pictures and takes minutes for one.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import torch

from realtime_avatar.bench import mesh_face
from realtime_avatar.face.batch.device import MeshDevice
from realtime_avatar.face.batch.tables import KIND
from realtime_avatar.face.rig import PhotoRig, make

ROOT = Path(__file__).parents[1]
PORTRAIT = ROOT / "src" / "realtime_avatar" / "face" / "data" / "portraits" / "ava.jpg"
MEASURED = ROOT / "tests" / "fixtures" / "portraits" / "ava_mediapipe.npz"


def portrait(side: int) -> PhotoRig:
    """Return the default portrait, with a plate behind it as if she had been cut out."""
    picture = cv2.cvtColor(np.asarray(cv2.imread(str(PORTRAIT))), cv2.COLOR_BGR2RGB)
    with np.load(MEASURED) as measured:
        points = measured["points"] * np.float32(side / 1024)
    fine = np.asarray(cv2.resize(picture, (2 * side, 2 * side), interpolation=cv2.INTER_AREA))
    texture = np.dstack([fine, np.full(fine.shape[:2], 255, np.uint8)])
    plate = np.full((side, side, 3), 128, np.uint8)
    return make(texture.astype(np.uint8), points, side, side, plate=plate)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=512, help="of the pictures")
    parser.add_argument("--sessions", type=float, default=0, metavar="SECONDS",
                        help="play sessions for so long, each count")  # fmt: skip
    parser.add_argument("--counts", default="50,100,200", help="of sessions")
    parser.add_argument("--output", type=Path, help="write the JSON there, too")
    given = parser.parse_args()
    cuda = torch.cuda.is_available()
    rig, start = portrait(given.side), perf_counter()
    device = MeshDevice("cuda:0" if cuda else "cpu")
    found: dict[str, Any] = {"torch": torch.__version__, "side": given.side}
    if cuda:
        costs = device.prepare(rig)
        cost = costs[KIND]
        found["gpu"] = torch.cuda.get_device_name()
        found["start_s"] = perf_counter() - start
        found["cost_ms"] = {"first": 1000 * cost.first, "more": 1000 * cost.more}
        found["speed"] = mesh_face.speed(device.painter, rig, (1, 4, 16, 64, 128))
        if given.sessions:
            counts = [int(count) for count in given.counts.split(",")]
            found["curve"] = mesh_face.sessions(device, costs, rig, counts, given.sessions)
    found["accuracy"] = mesh_face.accuracy(device.painter, rig, 32 if cuda else 1)
    text = json.dumps(found, indent=1)
    if given.output:
        given.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
