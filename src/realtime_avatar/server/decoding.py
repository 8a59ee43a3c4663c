"""Reading what strangers send, in a process that can do no harm."""

import json
import os
import socket
import subprocess
import sys
import threading
from typing import Any, BinaryIO, Final

import numpy as np
from anyio import CapacityLimiter, to_thread
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.media import Audio

MEMORY: Final = 2**30
"""Bytes that reading one file may take."""

SECONDS: Final = 20
"""Seconds that it may take."""

MAX_PIXELS: Final = 50_000_000
"""Of a portrait."""

_AT_ONCE: Final = 4


class Decoder:
    """Has files read by forks of a process of its own, which the first file starts."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(_AT_ONCE)
        self._sending = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    async def audio(
        self, file: BinaryIO, *, rate: int, longest: float, audible: bool = True
    ) -> Audio:
        """Read a recording.

        Args:
            file: Any kind that `media.kinds` knows, with a descriptor.
            rate: Of the result, Hz.
            longest: Seconds of it that are accepted.
            audible: Whether one without any sound is refused.

        Raises:
            InputError: if it is no good, or takes too much time or memory.
        """
        job = {"what": "audio", "rate": rate, "longest": longest, "audible": audible}
        about, data = await self._read(job, file)
        return Audio(np.frombuffer(data, np.int16), about["rate"], 0)

    async def portrait(self, file: BinaryIO) -> NDArray[np.uint8]:
        """Read a picture: RGB, shape (height, width, 3).

        Raises:
            InputError: as of `audio`.
        """
        about, data = await self._read({"what": "portrait", "pixels": MAX_PIXELS}, file)
        return np.frombuffer(data, np.uint8).reshape(about["shape"])

    def start(self) -> None:
        """Start the process now, if it has not been yet, rather than with the first file."""
        with self._sending:
            if self._control is None:
                self._start()

    def close(self) -> None:
        """End the process."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait()
            self._control = None

    async def _read(self, job: dict[str, Any], file: BinaryIO) -> tuple[dict[str, Any], bytes]:
        job |= {"memory": MEMORY, "seconds": SECONDS}
        # A fork ends in time by itself; a caller that is cancelled does not wait for it.
        line, data = await to_thread.run_sync(
            self._ask, json.dumps(job).encode(), file, limiter=self._limiter, abandon_on_cancel=True
        )
        if not line:
            raise InputError(
                "the file cannot be read: it takes too much time or memory, or is damaged"
            )
        about = json.loads(line)
        if "wrong" in about:
            raise InputError(about["wrong"])
        return about, data

    def _ask(self, message: bytes, file: BinaryIO) -> tuple[bytes, bytes]:
        source, sink = os.pipe()
        with os.fdopen(source, "rb") as result:
            try:
                file.seek(0)
                self._send(message, [file.fileno(), sink])
            finally:
                os.close(sink)
            return result.readline(), result.read()

    def _send(self, message: bytes, files: list[int]) -> None:
        with self._sending:
            try:
                socket.send_fds(self._control or self._start(), [message], files)
            except OSError:  # the process has died, or was killed
                self.close()
                socket.send_fds(self._start(), [message], files)

    def _start(self) -> socket.socket:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = str(theirs.fileno())
            # Threads would not survive the forks, and reading one file needs none.
            single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "realtime_avatar.server.decoding_process", number],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={name: os.environ[name] for name in _KEPT if name in os.environ} | single,
            )
        return self._control


_KEPT: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR")
