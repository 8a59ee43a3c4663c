"""How long the first picture of a reply takes: the whole session, made-up weights."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from statistics import median
from time import perf_counter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.executor import Cost, Executor
from realtime_avatar.engines.runtime import beside
from realtime_avatar.face.ditto import hubert
from realtime_avatar.face.ditto.condition import SOUND
from realtime_avatar.face.ditto.device import DittoDevice
from realtime_avatar.face.ditto.hubert import Encoder
from realtime_avatar.face.ditto.portrait import Cut, DittoRig
from realtime_avatar.face.ditto.session import DittoFace, Tools
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.picture import size

_RATE = 24_000


async def first_pictures(
    device: DittoDevice,
    costs: dict[str, Cost],
    cut: Cut,
    cond: int,
    encode: Encoder,
    replies: int,
) -> dict[str, Any]:
    """Return ms from the first sound that the face gets until its first picture, and all.

    The voice gives a second of sound at once, as the built-in ones do; between replies the
    face lives on for two seconds.
    """
    rig = DittoRig(cut, *device.measure(cut.square), cast("Any", None))
    quiet = hubert.silence(encode).mean(0)
    executor: Executor[Any, Any] = Executor(device, costs, {"picture": 25.0}, sessions=1)
    wanted = cast("Any", _Nothing(cond - SOUND))
    tools = Tools(device, encode, wanted, None, quiet, "neutral")
    took: list[float] = []
    shown: list[str] = []
    async with beside() as tasks:
        with executor.seat() as seat:
            face = DittoFace(rig, tools, seat, 25, tasks)
            for number in range(replies):
                for _ in range(50):
                    await face.idle()
                start = perf_counter()
                async with aclosing(face.animate(_voice(number))) as shots:
                    async for shot in shots:
                        if shot.frame is not None and len(took) == number:
                            took.append(1000 * (perf_counter() - start))
                            shown.append("x".join(map(str, size(shot.frame))))
    return {"p50_ms": median(took), "ms": took, "size": shown[-1]}


class _Nothing:
    """Conditions of a network whose numbers stand for nothing."""

    def __init__(self, numbers: int) -> None:
        self._numbers = numbers

    def of(self, *_: Any) -> NDArray[np.float32]:
        return np.zeros(self._numbers, np.float32)


async def _voice(number: int) -> AsyncGenerator[Audio]:
    random = np.random.default_rng(number)
    for at in range(2):
        pcm = (random.standard_normal(_RATE) * 3000).astype(np.int16)
        yield Audio(pcm, _RATE, at * _RATE)
