"""`python -m realtime_avatar.server.decoding_process FD`: reads files that strangers send.

Each request on the socket is JSON with two file descriptors: the file, and a pipe for the
result. It is worked on in a fork of this process with limits on its memory, its processor
time and its real time, that can write no file: what breaks a decoder ends that fork only.
A result is a line of JSON, then bytes.
"""

import json
import os
import resource
import signal
import socket
import sys
from typing import Any, BinaryIO, Final

from realtime_avatar.errors import InputError
from realtime_avatar.face.portrait import read_portrait
from realtime_avatar.media.kinds import HEAD, demuxer_of
from realtime_avatar.media.read import decode_audio, refuse_silence

REQUEST: Final = 4096
"""Bytes of the longest request."""

_OPEN_FILES: Final = 32  # a decoder needs none but the two that it is given


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    for number in (signal.SIGINT, signal.SIGTERM):  # the server ends it, by closing the socket
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forks are not waited for
    while True:
        message, files, _, _ = socket.recv_fds(control, REQUEST, 2)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            _work(json.loads(message), *files)
        for file in files:
            os.close(file)


def _work(job: dict[str, Any], source: int, sink: int) -> None:
    """Do one job, and end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    _limit(job["memory"], job["seconds"])
    try:
        with os.fdopen(source, "rb") as file, os.fdopen(sink, "wb") as out:
            try:
                about, data = (_portrait if job["what"] == "portrait" else _audio)(file, job)
            except InputError as error:
                about, data = {"wrong": str(error)}, b""
            except MemoryError:
                about, data = {"wrong": "the file takes too much memory to be read"}, b""
            out.write(json.dumps(about).encode() + b"\n")
            out.write(data)
    finally:
        os._exit(0)


def _audio(file: BinaryIO, job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    name = "the recording"
    head = file.read(HEAD)
    file.seek(0)
    if not head:
        raise InputError(f"{name} is empty")
    demuxer = demuxer_of(head, name)
    rate, longest = job["rate"], job["longest"]
    audio = decode_audio(file, name, rate=rate, max_seconds=longest, demuxer=demuxer)
    if job["audible"]:
        refuse_silence(audio, name)
    return {"rate": audio.rate}, audio.pcm.tobytes()


def _portrait(file: BinaryIO, job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    picture = read_portrait(file, job["pixels"])
    return {"shape": picture.shape}, picture.tobytes()


def _limit(memory: int, seconds: int) -> None:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - a fork should do as little as it can
        held = int(file.read().split()[0]) * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_AS, held + memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(what, (most, most))
    signal.alarm(seconds)


if __name__ == "__main__":
    main()
