"""What a figure was taken on, and what the process has used."""

import os
import platform
import resource
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

_LIBRARIES = (
    "realtime-avatar", "faster-whisper", "ctranslate2", "onnxruntime", "xllamacpp", "hibari-tts",
    "numba", "opencv-python-headless", "ai-edge-litert", "av", "google-genai", "numpy",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Return the processor, the cores that may be used, and the versions that matter."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES},
        "load": os.getloadavg()[0],
    }


def peak_memory() -> int:
    """Return the most memory that this process has held, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def size_of(folder: Path) -> int:
    """Return the bytes on disk below a folder, every file counted once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for path in folder.rglob("*"):
        about = path.lstat()
        if (about.st_dev, about.st_ino) not in seen:
            seen.add((about.st_dev, about.st_ino))
            total += about.st_blocks * 512
    return total


def environment_size() -> int:
    """Return the bytes of the virtual environment that this runs in."""
    return size_of(Path(sys.prefix))


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
