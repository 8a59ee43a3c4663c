"""How heavy libraries are run."""

import platform
import re
import subprocess
import sys

import anyio
import pytest

from realtime_avatar.engines.runtime import beside

CODE = """
import ctypes, sys
from threading import Barrier, Thread

from realtime_avatar.engines.runtime import share_memory

if sys.argv[1] == "shared":
    share_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
all_there = Barrier(4)

def take():
    all_there.wait()
    libc.malloc(1000)
    all_there.wait()

threads = [Thread(target=take) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


FREED = """
import ctypes
from pathlib import Path

import anyio

from realtime_avatar.engines.runtime import give_memory_back

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]

def held():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

pieces = [libc.malloc(100_000) for _ in range(1000)]
for piece in pieces:
    ctypes.memset(piece, 1, 100_000)
for number, piece in enumerate(pieces):
    if number % 50:
        libc.free(piece)
print(held())

async def main():
    with anyio.move_on_after(0.2):
        await give_memory_back(0.01)

anyio.run(main)
print(held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
def test_threads_share_memory() -> None:
    arenas: list[int] = []
    for how in ("each", "shared"):
        run = [sys.executable, "-c", CODE, how]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
        arenas.append(len(re.findall("<heap nr=", done.stdout)))
    each, shared = arenas
    assert each > 2 >= shared


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what was freed")
def test_what_was_freed_goes_back_to_the_system() -> None:
    run = [sys.executable, "-c", FREED]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before - after > 80_000  # kB of 98 MB


@pytest.mark.anyio
async def test_what_goes_on_beside_ends_with_the_body_whose_error_comes_out_as_it_is() -> None:
    ended: list[str] = []

    async def go_on() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("task")

    async with beside() as tasks:
        tasks.start_soon(go_on)
        await anyio.wait_all_tasks_blocked()
    assert ended == ["task"]
    with pytest.raises(KeyError, match="lost"):
        async with beside() as tasks:
            tasks.start_soon(go_on)
            await anyio.wait_all_tasks_blocked()
            raise KeyError("lost")
    assert ended == ["task"] * 2
    with anyio.CancelScope() as scope:
        async with beside() as tasks:
            tasks.start_soon(go_on)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert ended == ["task"] * 3
