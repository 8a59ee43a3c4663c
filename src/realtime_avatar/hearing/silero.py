"""Voice activity by Silero VAD v6, whose weights come with faster-whisper."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from realtime_avatar.engines.ports import SpeechEnd, SpeechStart
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import onnx_session
from realtime_avatar.errors import ModelMissing
from realtime_avatar.hearing.activity import RATE, WINDOW, Activity, Limits
from realtime_avatar.hearing.stream import compute, portions
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.resample import Resampler, rescale

CONTEXT: Final = 64  # samples of the window before that the model also looks at

Probability = Annotated[float, Field(gt=0, lt=1)]


class Options(BaseModel):
    """Settings of the engine.

    Attributes:
        start: Probability at which speech starts.
        end: Probability below which it ends.
        min_speech_ms: A shorter burst is no speech.
        min_silence_ms: A shorter pause does not end speech.
        padding_ms: Added before and after speech.
    """

    model_config = ConfigDict(extra="forbid")

    start: Probability = 0.5
    end: Probability = 0.35
    min_speech_ms: Annotated[int, Field(ge=32)] = 200
    min_silence_ms: Annotated[int, Field(ge=32)] = 500
    padding_ms: Annotated[int, Field(ge=0)] = 200


class Silero:
    """Says where speech is."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self._options = context.parse(Options)
        self._session: Any = open_silero()

    @asynccontextmanager
    async def open(
        self,
        *,
        min_speech_ms: int | None = None,
        min_silence_ms: int | None = None,
        padding_ms: int | None = None,
    ) -> AsyncGenerator["SileroDetector"]:
        """Open a session; see `DetectorEngine.open`."""
        options = self._options

        def samples(given: int | None, otherwise: int) -> int:
            return (otherwise if given is None else given) * RATE // 1000

        limits = Limits(
            start=options.start,
            end=min(options.end, options.start),
            min_speech=samples(min_speech_ms, options.min_speech_ms),
            min_silence=samples(min_silence_ms, options.min_silence_ms),
            padding=samples(padding_ms, options.padding_ms),
        )
        yield SileroDetector(self._session, limits)

    def close(self) -> None:
        """Let go of the weights."""
        self._session = None


class SileroDetector:
    """One session of `Silero`."""

    def __init__(self, session: Any, limits: Limits) -> None:
        self._session, self._limits = session, limits

    async def detect(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[SpeechStart | SpeechEnd]:
        """Yield where speech starts and ends, in the samples of `audio`, whatever its rate."""
        ear = _Ear(self._session, self._limits)
        async with aclosing(portions(audio, at_least=0.01, at_most=10)) as stream:
            async for portion in stream:
                for event in await compute("detector", partial(ear.push, portion)):
                    yield event
        for event in await compute("detector", ear.finish):
            yield event


class SpeechProbability:
    """How probable speech is in each 32 ms of one stream.

    Args:
        session: From `open_silero`.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._rest = np.zeros(CONTEXT, np.float32)  # context, then what is short of a window
        self._hidden = np.zeros((1, 1, 128), np.float32)
        self._cell = np.zeros((1, 1, 128), np.float32)

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples at 16 kHz, in [-1, 1]; return a figure for each full window.

        The model's recurrence runs over the windows of one call at once.
        """
        known = np.concatenate([self._rest, samples])
        count = (len(known) - CONTEXT) // WINDOW
        self._rest = known[count * WINDOW :]
        if not count:
            return np.zeros(0, np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(known, CONTEXT + WINDOW)[::WINDOW]
        figures, self._hidden, self._cell = self._session.run(
            None,
            {"input": np.ascontiguousarray(windows), "h": self._hidden, "c": self._cell},
        )
        return figures

    def flush(self) -> NDArray[np.float32]:
        """Return the figure for the last window if it is not full: shape (0,) or (1,)."""
        pending = len(self._rest) - CONTEXT
        return self.push(np.zeros(WINDOW - pending if pending else 0, np.float32))


def open_silero() -> Any:
    """Open the weights as an ONNX session, without importing faster-whisper.

    Raises:
        ModelMissing: if they are not there.
    """
    package = find_spec("faster_whisper")
    if package is None or package.origin is None:
        raise ModelMissing("Silero VAD comes with faster-whisper: pip install faster-whisper")
    path = Path(package.origin).parent / "assets" / "silero_vad_v6.onnx"
    if not path.is_file():
        raise ModelMissing(f"this faster-whisper has no Silero VAD v6; it should be at {path}")
    return onnx_session(path)


class _Ear:
    """One stream: resampled, looked at, its events in the counting that it came with."""

    def __init__(self, session: Any, limits: Limits) -> None:
        self._resampler = Resampler(RATE)
        self._probability = SpeechProbability(session)
        self._limits = limits
        self._activity: Activity | None = None
        self._rate = self._start = self._end = 0

    def push(self, audio: Audio) -> list[SpeechStart | SpeechEnd]:
        sound = self._resampler.push(audio)
        if self._activity is None:
            self._rate, self._start = audio.rate, audio.start
            self._activity = Activity(self._limits, rescale(audio.start, audio.rate, RATE))
        self._end = audio.end
        return self._events(self._probability.push(sound.float32()))

    def finish(self) -> list[SpeechStart | SpeechEnd]:
        if self._activity is None:
            return []
        rest = self._probability.push(self._resampler.flush().float32())
        events = self._events(np.concatenate([rest, self._probability.flush()]))
        last = self._activity.finish(rescale(self._end, self._rate, RATE))
        return [*events, self._placed(last)] if last else events

    def _events(self, figures: NDArray[np.float32]) -> list[SpeechStart | SpeechEnd]:
        assert self._activity is not None
        events = (self._activity.push(float(figure)) for figure in figures)
        return [self._placed(event) for event in events if event]

    def _placed(self, event: SpeechStart | SpeechEnd) -> SpeechStart | SpeechEnd:
        at = rescale(event.at, RATE, self._rate)
        return type(event)(min(max(at, self._start), self._end))
