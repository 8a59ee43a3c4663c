"""End of turn by Smart Turn v3: it hears from the melody whether a speaker has finished."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import onnx_session
from realtime_avatar.hearing.activity import RATE
from realtime_avatar.hearing.stream import compute
from realtime_avatar.media import Audio
from realtime_avatar.media.resample import resample

HEARD: Final = 8 * RATE
"""Samples that it hears at once: the last ones."""

MODEL: Final = "smart-turn"
FILE: Final = "smart-turn-v3.2-cpu.onnx"
SILENT: Final = 1e-7  # added to the variance, as in training


class Options(BaseModel):
    """Settings of the engine: none."""

    model_config = ConfigDict(extra="forbid")


class SmartTurn:
    """Tells whether a turn is over. Runs on one thread."""

    models: ClassVar[tuple[str, ...]] = (MODEL,)

    def __init__(self, context: Context) -> None:
        context.parse(Options)
        self._session: Any = onnx_session(context.store.path(MODEL) / FILE, quantised=True)
        from faster_whisper.feature_extractor import FeatureExtractor

        self._spectrum: Any = FeatureExtractor()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["SmartTurnEndpointer"]:
        """Open a session."""
        yield SmartTurnEndpointer(self)

    def close(self) -> None:
        """Let go of the weights."""
        self._session = self._spectrum = None

    def probability(self, samples: NDArray[np.float32]) -> float:
        """Return the probability that the turn is over. Blocking, 30 to 100 ms on a core.

        Args:
            samples: In [-1, 1], shape (samples,), 16 kHz. The last 8 s are heard; less is
                filled up with silence before it.
        """
        heard = np.zeros(HEARD, np.float32)
        if len(samples):
            heard[-len(samples) :] = samples[-HEARD:]
        normal = (heard - heard.mean()) / np.sqrt(heard.var() + SILENT)
        features = self._spectrum(normal, padding=0)[None].astype(np.float32)
        (found,) = self._session.run(None, {"input_features": features})
        return float(found[0, 0])


class SmartTurnEndpointer:
    """One session of `SmartTurn`."""

    def __init__(self, engine: SmartTurn) -> None:
        self._engine = engine

    async def finished(self, audio: Audio) -> float:
        """Return the probability that the turn is over."""
        last = Audio(audio.pcm[-HEARD * audio.rate // RATE :], audio.rate, 0)
        return await compute("endpointer", partial(self._probability, last))

    def _probability(self, audio: Audio) -> float:
        return self._engine.probability(resample(audio, RATE).float32())
