"""`python -m realtime_avatar.bench.ready_probe PORT`: how long /ready takes, again and again.

A process of its own, so that whoever measures it is not busy with anything else. It ends with
its standard input; then it prints the seconds of each answer as JSON.
"""

import json
import select
import sys
from http.client import HTTPConnection
from time import perf_counter
from typing import Final

_EVERY: Final = 0.1  # seconds


def main() -> None:
    took = list[float]()
    while not select.select([sys.stdin], [], [], _EVERY)[0]:
        line = HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
        asked = perf_counter()
        line.request("GET", "/ready")
        line.getresponse().read()
        took.append(perf_counter() - asked)
        line.close()
    json.dump(took, sys.stdout)


if __name__ == "__main__":
    main()
