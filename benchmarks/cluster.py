"""What it costs that an engine runs elsewhere: hops, pictures, cancelling, a killed replica.

    python benchmarks/cluster.py [--output FILE]

Starts Ray on this machine, if none runs here, and prints JSON. Each figure of the adapter stands
beside that of the same engine in this process, taken in the same run.
"""

import argparse
import json
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import anyio
import numpy as np
from anyio import to_thread

from realtime_avatar.bench.machine import machine
from realtime_avatar.config import Cluster, Replicas
from realtime_avatar.engines.cluster import Engines
from realtime_avatar.engines.registry import Context, Kind, load
from realtime_avatar.engines.wire import pack, unpack
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.media import Audio
from realtime_avatar.media.picture import nv12
from realtime_avatar.models.store import ModelStore
from realtime_avatar.server.codecs import VideoEncoder

SECONDS = 8
ASKED = 200


def spread(seconds: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile, ms."""
    return {
        "p50_ms": round(1000 * median(seconds), 2),
        "p95_ms": round(1000 * sorted(seconds)[int(0.95 * len(seconds))], 2),
    }


async def speech() -> AsyncGenerator[Audio]:
    """A buzz, in chunks of 200 ms."""
    wave = (4000 * np.sin(np.arange(4800) * 0.05)).astype(np.int16)
    for number in range(5 * SECONDS):
        yield Audio(wave, 24_000, 4800 * number)


async def pictures(engine: Any, side: int) -> dict[str, Any]:
    """Return what a picture takes, of speech and between, one after the other."""
    rig = await engine.enrol(read_portrait(default_portrait()), size=(side, side))
    async with engine.open(rig) as face:
        await face.idle()
        idle: list[float] = []
        for _ in range(ASKED):
            begin = perf_counter()
            await face.idle()
            idle.append(perf_counter() - begin)
        count, begin = 0, perf_counter()
        async with aclosing(face.animate(speech())) as shots:
            async for _ in shots:
                count += 1
        said = (perf_counter() - begin) / count
    return {"idle": spread(idle), "speech_ms": round(1000 * said, 2)}


async def faces(name: str) -> dict[str, Any]:
    """Return what a face's pictures of 512 x 512 take here and elsewhere."""
    here = await to_thread.run_sync(load, "face", name, Context(ModelStore(), 1))
    found = {"here": await pictures(here, 512)}
    for frames in ("nv12", "jpeg"):
        engine = await elsewhere("face", name, frames=frames)
        found[frames] = await pictures(engine, 512)
        await gone("face", name)
    return found


async def elsewhere(kind: Kind, name: str, *, frames: Any = "nv12", **wanted: Any) -> Any:
    settings = Cluster(cover="", frames=frames, engines={name: Replicas(**{"cpus": 0} | wanted)})
    engines = await to_thread.run_sync(Engines, settings)
    return await to_thread.run_sync(engines.load, kind, name, Context(ModelStore(), 1))


async def gone(kind: Kind, name: str) -> None:
    from ray import serve

    await to_thread.run_sync(serve.delete, f"avatar-{kind}-{name}")


async def hops() -> dict[str, Any]:
    """Return what a question and its answer take, a cancellation, and a killed replica."""
    engine = await elsewhere("voice", "fake", least=2, most=2)
    asked: list[float] = []
    async with engine.open() as voice:
        handle = engine._remote.handle.options(session_id=voice._link.opened.replica)
        for _ in range(ASKED):
            begin = perf_counter()
            await handle.about.remote()
            asked.append(perf_counter() - begin)

        cancelled: list[float] = []
        for _ in range(20):

            async def never() -> AsyncGenerator[str]:
                yield "One "
                await anyio.sleep_forever()

            async def listen(never: Any = never) -> None:
                async for _ in voice.speak(never()):
                    pass

            begin = 0.0
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                while not (await handle.about.remote()).busy:
                    pass
                begin = perf_counter()
                tasks.cancel_scope.cancel()
            while (await handle.about.remote()).busy:
                pass
            cancelled.append(perf_counter() - begin)

        async def words() -> AsyncGenerator[str]:
            for number in range(400):
                yield f"word{number} "

        killed, begin, count, after = 0.0, 0.0, 0, 0
        async for _ in voice.speak(words()):
            count += 1
            if count == 50:
                process = (await handle.about.remote()).process
                begin = perf_counter()
                os.kill(process, signal.SIGKILL)
                after = count
            if begin and count <= after + 10:  # what had been sent comes first
                killed = max(killed, perf_counter() - begin)
                begin = perf_counter()
    await gone("voice", "fake")
    return {
        "hop": spread(asked),
        "cancelled_and_seen_to_be": spread(cancelled),
        "silence_after_a_kill_ms": round(1000 * killed, 1),
    }


async def sending() -> dict[str, Any]:
    """Return the core's time that the server itself takes for a picture of 512 x 512, ms."""
    face = await to_thread.run_sync(load, "face", "photo", Context(ModelStore(), 1))
    rig = await face.enrol(read_portrait(default_portrait()), size=(512, 512))
    async with face.open(rig) as session:
        frames = [shot.frame async for shot in session.animate(speech())]
    found: dict[str, Any] = {}
    planar = [nv12(frame) for frame in frames if frame is not None]
    for codec in ("h264", "vp8"):
        for name, given in ((codec, frames), (f"{codec} of nv12", planar)):
            encoder, begin = VideoEncoder(codec, 25, 1_200_000), process_time()
            for index, frame in enumerate(given):
                await to_thread.run_sync(encoder.encode, frame, index)
            found[name] = round(1000 * (process_time() - begin) / len(given), 2)
    for kind in ("nv12", "jpeg"):
        begin = process_time()
        packed = [pack(frame, kind) for frame in frames]
        middle = process_time()
        for one in packed:
            unpack(one)
        size = sum(one.data.nbytes for one in packed) / len(frames)
        found[kind] = {
            "pack": round(1000 * (middle - begin) / len(frames), 2),
            "unpack": round(1000 * (process_time() - middle) / len(frames), 2),
            "bytes": round(size),
        }
    return found


async def measure() -> dict[str, Any]:
    found: dict[str, Any] = {
        "machine": machine(),
        "sending_ms": await sending(),
        "hops": await hops(),
    }
    for name in ("fake", "photo"):
        found[name] = await faces(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    text = json.dumps(anyio.run(measure), indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
