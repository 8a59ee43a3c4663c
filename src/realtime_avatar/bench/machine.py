"""What a figure was taken on, and what the process has used."""

import os
import platform
import resource
import sys
from importlib.metadata import (
    Distribution,
    PackageNotFoundError,
    distributions,
    requires,
    version,
)
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_LIBRARIES = (
    "realtime-avatar", "faster-whisper", "ctranslate2", "onnxruntime", "xllamacpp", "llguidance",
    "hibari-tts", "numba", "numpy", "opencv-python-headless", "ai-edge-litert", "av",
    "google-genai",
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
    """Return the bytes of the virtual environment, but for what only tests and extras brought."""
    needed = requirements("realtime-avatar") | {"pip", "setuptools"}
    others = [one for one in distributions() if canonicalize_name(one.name) not in needed]
    return size_of(Path(sys.prefix)) - sum(map(_size, others))


def requirements(distribution: str) -> set[str]:
    """Return the normalised names of a distribution and of all that it needs, as installed."""
    found, todo = set[tuple[str, frozenset[str]]](), [(distribution, frozenset[str]())]
    while todo:
        name, extras = todo.pop()
        key = canonicalize_name(name), extras
        if key in found:
            continue
        found.add(key)
        try:
            needs = requires(name) or []
        except PackageNotFoundError:  # of another platform
            continue
        for need in map(Requirement, needs):
            marker = need.marker
            if marker is None or any(marker.evaluate({"extra": one}) for one in ("", *extras)):
                todo.append((need.name, frozenset(need.extras)))
    return {name for name, _ in found}


def _size(distribution: Distribution) -> int:
    paths = [Path(str(distribution.locate_file(file))) for file in distribution.files or ()]
    return sum(path.lstat().st_blocks * 512 for path in paths if path.is_file())


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
