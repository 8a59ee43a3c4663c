"""`python -m realtime_avatar.bench.worker SECTION RUNS`: one section, as JSON on stdout.

A process of its own, so that its peak memory and its core are its own.
"""

import json
import sys

import anyio

from realtime_avatar.bench.sections import SECTIONS
from realtime_avatar.config import load_settings


def main() -> None:
    section, runs = sys.argv[1], int(sys.argv[2])
    report = anyio.run(SECTIONS[section], load_settings(), runs)
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
