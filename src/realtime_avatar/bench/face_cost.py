"""`python -m realtime_avatar.bench.face_cost PORTRAIT SIDE`: time and memory, as JSON.

A process of its own on one core, so that the figures are the face's alone. Times are CPU
time of the one thread that works, so that what else runs on the machine counts little.
"""

import json
import os
import sys
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

import cv2
import numpy as np

from realtime_avatar.config import load_settings
from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.face import eyes, mouth, render
from realtime_avatar.face.enrol import enrol
from realtime_avatar.face.landmarks import FaceLandmarker
from realtime_avatar.face.motion import SpeechMotion
from realtime_avatar.face.portrait import read_portrait
from realtime_avatar.face.rig import Renderer
from realtime_avatar.media.read import read_audio
from realtime_avatar.models.store import ModelStore

_FRAMES = 150


def cost(portrait: Path, side: int) -> dict[str, Any]:
    """Measure one portrait, warm.

    Returns:
        `frame` (median of rendering and compositing), `slowest` (the 99th percentile) and
        `motion` (the mean), ms a frame at 25 fps; `enrolment`, seconds; `before` and
        `memory`, the most that this process held before it loaded anything of the face,
        and after, bytes.
    """
    cv2.setNumThreads(1)
    settings = load_settings()
    folder = ModelStore(settings.models, offline=settings.offline).path("face-landmarker")
    speech = read_audio(bundled("speech/jfk.wav"))
    before = _memory()
    for module in (render, eyes, mouth):
        module.compile_kernels()
    landmarker = FaceLandmarker(folder / "face_landmarker.task")
    picture = read_portrait(portrait)
    start = thread_time()
    rig, _ = enrol(landmarker, picture, (side, side))
    enrolment = thread_time() - start
    face = SpeechMotion()
    face.idle(1)
    start = thread_time()
    motion = face.push(speech)
    moving = (thread_time() - start) / max(1, len(motion.weights))
    renderer, took = Renderer(rig), list[float]()
    for weights, pose in zip(motion.weights[:_FRAMES], motion.pose[:_FRAMES], strict=True):
        start = thread_time()
        renderer.render(weights, pose)
        took.append(thread_time() - start)
    return {
        "frame": median(took) * 1000,
        "slowest": float(np.percentile(took, 99)) * 1000,
        "motion": moving * 1000,
        "enrolment": enrolment,
        "before": before,
        "memory": _memory(),
    }


def _memory() -> int:
    """Return the most memory that this process has held, bytes.

    Not `getrusage`: it begins with what the process that started this one held.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    json.dump(cost(Path(sys.argv[1]), int(sys.argv[2])), sys.stdout)


if __name__ == "__main__":
    main()
