"""The one place that knows how heavy libraries are run.

Everything that computes for more than a millisecond goes through `step`: worker threads,
cancelled between steps.
"""

import ctypes
import os
import platform
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from anyio import create_task_group, get_cancelled_exc_class, sleep, to_thread
from anyio.abc import TaskGroup

if TYPE_CHECKING:
    import onnxruntime

_ARENAS: Final = 2  # whose memory threads share; glibc's choice is eight for each core
_MAPPED: Final = 8_000_000  # bytes: what is larger goes back to the system when it is freed
_KEPT: Final = 16_000_000  # bytes that an arena keeps when all behind them is free
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h

P = ParamSpec("P")
T = TypeVar("T")

# llama.cpp's threads otherwise spin while they wait, and any other load on the same
# cores makes decoding collapse (26 -> 2 tokens a second on two cores). Without any spinning
# each of a token's hundreds of short waits is a sleep: 72 ms a token instead of 53 alone, 92
# instead of 78 beside a face. OpenMP reads both once, when it is first loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def share_memory() -> None:
    """Let threads take what others have freed, before any is started; glibc alone needs that.

    Two dozen threads with an arena each held 700 MB that nobody used, and more with every hour.
    """
    libc = _glibc()
    if libc:
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)


async def give_memory_back(every: float) -> None:
    """Give the system what has been freed in between what is not, again and again.

    glibc alone keeps that: 25 MB more after half an hour of conversation, 40 after a hundred calls.

    Args:
        every: Seconds between; it takes some 8 ms of a thread.
    """
    libc = _glibc()
    while libc:
        await sleep(every)
        await step(partial(libc.malloc_trim, 0))


def _glibc() -> ctypes.CDLL | None:
    """Return this process's C library if it is glibc."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


async def step(work: Callable[[], T], *, leave: bool = False) -> T:
    """Run `work`, which should take at most about 100 ms, in a worker thread.

    Args:
        work: What is to be done.
        leave: Whether a caller that is cancelled leaves the thread to finish alone. Otherwise
            it waits, so that no thread is left inside an engine whose session has been
            closed.
    """
    return await to_thread.run_sync(work, abandon_on_cancel=leave)


@asynccontextmanager
async def beside() -> AsyncGenerator[TaskGroup]:
    """Yield a group for tasks that go on beside the body and are cancelled at its end.

    Unlike a group's own, what the body raises comes out as it is.
    """
    failure: BaseException | None = None
    async with create_task_group() as tasks:
        try:
            yield tasks
        except get_cancelled_exc_class():
            raise
        except BaseException as error:  # raised below
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


@contextmanager
def without_stderr() -> Generator[None]:
    """Drop what native libraries write to stderr meanwhile, where they have no other switch."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def onnx_session(
    path: Path | bytes, threads: int = 1, *, quantised: bool = False, cuda: bool = False
) -> "onnxruntime.InferenceSession":
    """Open an ONNX model, without spinning threads.

    Args:
        path: The model's file, or the model itself, serialised.
        threads: How many one inference may use.
        quantised: Whether its weights are signed bytes. Without VNNI their products with
            unsigned ones overflow in between, and the model would say something else than
            on other processors; this avoids it at no cost.
        cuda: Whether to run it on the GPU, if the installed ONNX Runtime can.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Its arena keeps all that the longest sentence took, doubled; without it nothing is slower.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if quantised:
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    if cuda and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, "CUDAExecutionProvider")
    return onnxruntime.InferenceSession(path, options, providers=providers)
