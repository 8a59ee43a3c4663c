"""Engines that need no weights: for tests, and to try out the ports.

They compute nothing heavy but keep every rule of `engines.ports`, and what they give is
a simple function of what they get, so that a test can say what must come out.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

import numpy as np
from anyio.lowlevel import checkpoint
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from realtime_avatar.engines.ports import (
    Message,
    Presence,
    Rig,
    Speaker,
    SpeechEnd,
    SpeechStart,
    Transcript,
)
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import ConfigError, InputError
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.frames import frames_of
from realtime_avatar.media.picture import Frame

LOUD = 1000  # |int16| from which the fake detector calls it speech
LANGUAGES = ("en", "zh", "es")


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Fake:
    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self._options = context.parse(_Options)

    def close(self) -> None:
        """Nothing is held."""


class FakeDetector(_Fake):
    """Calls loud chunks speech."""

    @asynccontextmanager
    async def open(
        self,
        *,
        min_speech_ms: int | None = None,
        min_silence_ms: int | None = None,
        padding_ms: int | None = None,
    ) -> AsyncGenerator["_FakeDetectorSession"]:
        yield _FakeDetectorSession(min_speech_ms or 0, min_silence_ms or 0)


class _FakeDetectorSession:
    def __init__(self, min_speech_ms: int, min_silence_ms: int) -> None:
        self._speech, self._silence = min_speech_ms / 1000, min_silence_ms / 1000

    async def detect(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[SpeechStart | SpeechEnd]:
        begin = pause = None
        told, end = False, 0
        async for chunk in audio:
            end = chunk.end
            if chunk.samples and int(np.abs(chunk.pcm.astype(np.int32)).max()) >= LOUD:
                begin, pause = chunk.start if begin is None else begin, None
                if not told and end - begin >= self._speech * chunk.rate:
                    told = True
                    yield SpeechStart(begin)
            elif begin is not None:
                pause = chunk.start if pause is None else pause
                if not told or end - pause >= self._silence * chunk.rate:
                    if told:
                        yield SpeechEnd(pause)
                    begin, told = None, False
        if told:
            yield SpeechEnd(end if pause is None else pause)


class _Heard(_Options):
    text: str = "hello there"


class FakeRecognizer:
    """Hears `text` in whatever is loud."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self._text = context.parse(_Heard).text

    def close(self) -> None:
        """Nothing is held."""

    @asynccontextmanager
    async def open(
        self, *, languages: Sequence[str] = (), live: bool = False
    ) -> AsyncGenerator["_FakeRecognizerSession"]:
        _known(languages)
        yield _FakeRecognizerSession(self._text, (languages or LANGUAGES)[0])


class _FakeRecognizerSession:
    def __init__(self, text: str, language: str) -> None:
        self._text, self._language = text, language

    async def transcribe(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Transcript]:
        start, end, loud = None, 0, False
        await checkpoint()
        async for chunk in audio:
            start = chunk.start if start is None else start
            end = chunk.end
            loud |= bool(np.any(np.abs(chunk.pcm.astype(np.int32)) >= LOUD))
        text = self._text if loud else ""
        yield Transcript(text, True, start or 0, end, self._language if text else "")


class _Finished(_Options):
    probability: float = 1.0


class FakeEndpointer:
    """Is always as sure as `probability` that the turn is over."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self._probability = context.parse(_Finished).probability

    def close(self) -> None:
        """Nothing is held."""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["FakeEndpointer"]:
        yield self

    async def finished(self, audio: Audio) -> float:
        await checkpoint()
        return self._probability


class _Reply(_Options):
    reply: str = "You said: {0}"
    pieces: int = 3


class FakeChat:
    """Answers with `reply`, where {0} is the question, in pieces of a few characters."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self._options = context.parse(_Reply)

    def close(self) -> None:
        """Nothing is held."""

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["FakeChat"]:
        yield self

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        text = self._options.reply.format(messages[-1].text)
        for at in range(0, len(text), self._options.pieces):
            await checkpoint()
            yield text[at : at + self._options.pieces]


class FakeVoice(_Fake):
    """Says every word as 100 ms of a tone, at 24 kHz; a learned voice is its sample's pitch."""

    rate = 24_000
    languages = LANGUAGES
    speakers = ("tone",)

    @asynccontextmanager
    async def open(
        self, *, language: str = "en", speaker: Speaker | None = None
    ) -> AsyncGenerator["_FakeVoiceSession"]:
        _known([language])
        if speaker and speaker.data is None and speaker.name not in self.speakers:
            raise ConfigError(f"the fake voice has no speaker {speaker.name!r}; it has: tone")
        yield _FakeVoiceSession(_hertz(speaker))

    async def enrol(self, sample: Audio) -> Speaker:
        rises = np.count_nonzero((sample.pcm[:-1] < 0) & (sample.pcm[1:] >= 0))
        if not rises:
            raise InputError("the fake voice hears no voice in the sample")
        return Speaker("enrolled", np.array([rises / sample.seconds], np.float32))


def _hertz(speaker: Speaker | None) -> float:
    return 220.0 if speaker is None or speaker.data is None else float(speaker.data[0])


class _FakeVoiceSession:
    rate = FakeVoice.rate

    def __init__(self, hertz: float) -> None:
        self._hertz = hertz

    async def speak(self, text: AsyncIterable[str]) -> AsyncGenerator[Audio]:
        start, rest = 0, ""
        turn = np.arange(2400) * 2 * np.pi * self._hertz / self.rate
        tone = (8000 * np.sin(turn)).astype(np.int16)
        async for piece in text:
            *words, rest = (rest + piece).split(" ")
            for word in words:
                yield Audio(tone, self.rate, start, word + " ")
                start += len(tone)
        if rest.strip():
            yield Audio(tone, self.rate, start, rest)


class FakeFace(_Fake):
    """Shows the portrait, brighter the louder it speaks."""

    async def enrol(
        self, portrait: NDArray[np.uint8], *, size: tuple[int, int] | None = None
    ) -> Rig:
        width, height = size or (portrait.shape[1] // 2 * 2, portrait.shape[0] // 2 * 2)
        return Rig(width, height, portrait.mean((0, 1)))

    @asynccontextmanager
    async def open(self, rig: Rig, *, fps: int = 25) -> AsyncGenerator["_FakeFaceSession"]:
        yield _FakeFaceSession(rig, fps)


class _FakeFaceSession:
    def __init__(self, rig: Rig, fps: int) -> None:
        self._rig, self._fps = rig, fps

    async def animate(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Shot]:
        async for chunk in frames_of(audio, self._fps):
            yield Shot(chunk, self._picture(np.abs(chunk.pcm.astype(np.float32)).mean() / 32768))

    async def idle(self, presence: Presence = "idle") -> Frame:
        await checkpoint()
        return self._picture(0.0)

    def unseen(self, shots: int) -> None:
        """Nothing moves that could jump."""

    def _picture(self, loudness: float) -> NDArray[np.uint8]:
        frame = np.empty((self._rig.height, self._rig.width, 3), np.uint8)
        frame[:] = np.clip(self._rig.data * (0.5 + loudness), 0, 255)
        return frame


def _known(languages: Sequence[str]) -> None:
    for language in languages:
        if language not in LANGUAGES:
            raise ConfigError(f"unknown language {language!r}; known are: {', '.join(LANGUAGES)}")
