"""Engines that run elsewhere: the ports of `engines.ports` over Ray Serve's handles.

Each adapter is what the engine itself would be to the rest of the program. When the replica that
holds a session is lost, or too slow, the session is opened on another, and what is needed to go on
travels with the request: the utterance until then, or the sentence that was being said.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from anyio import fail_after

from realtime_avatar.engines.link import Link, Lost, answer, linked
from realtime_avatar.engines.ports import (
    Message,
    Refinement,
    Speaker,
    SpeechEnd,
    SpeechStart,
    Transcript,
)
from realtime_avatar.engines.registry import Kind
from realtime_avatar.engines.replay import Replay
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.engines.wire import About, Failed, Item
from realtime_avatar.errors import ChatError, EngineError
from realtime_avatar.media import Audio

_LOSSES: Final = 3  # of one stream in a row, until it fails
_AHEAD: Final = 3  # items that a replica may be ahead of who listens
_WORDS: Final = 32  # the same, of a chat
_HEARD: Final = 1500  # chunks, of 20 ms, that a detector hears again at most
_ENDS: Final = ".!?…。！？"


@dataclass(frozen=True, slots=True)
class Remote:
    """Where an engine runs.

    Attributes:
        kind: Of the engine.
        handle: Of its deployment.
        about: What it says of itself.
        patience: Seconds after which a replica that owes an answer is left.
        starting: Seconds that a replica may take to start.
    """

    kind: Kind
    handle: Any
    about: About
    patience: float
    starting: float

    def link(self, **options: Any) -> Link:
        """Return a line for one session; `options`: of the engine's `open`."""
        return Link(self.handle, self.kind, options, patience=self.patience, starting=self.starting)

    async def call(self, method: str, *args: Any, **options: Any) -> Any:
        """Return what a method of the engine itself gives.

        Raises:
            AvatarError: what the engine raised.
        """
        for _ in range(_LOSSES):
            try:
                handle = self.handle.options(method_name=method)
                with fail_after(self.starting):
                    message = await answer(handle.remote(*args, **options), self.kind)
            except Lost:
                continue
            except TimeoutError:
                break
            if isinstance(message, Failed):
                raise message.error
            return message.value if isinstance(message, Item) else message
        raise EngineError(self.kind, "no machine of the cluster can do this now")


class RemoteEngine:
    """What all of them share."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def close(self) -> None:
        """Let go of the line; the replicas belong to the cluster."""
        self._remote.handle.shutdown()


class _Losses:
    """Counts how often a stream is lost, and opens its session anew."""

    def __init__(self, link: Link, kind: Kind) -> None:
        self._link, self._kind, self._lost = link, kind, 0

    def progress(self) -> None:
        self._lost = 0

    async def mend(self, lost: Lost) -> None:
        """Open the session on another replica.

        Raises:
            EngineError: if it was lost too often, or there is none.
        """
        self._lost += 1
        if self._lost > _LOSSES:
            raise EngineError(self._kind, f"every replica is lost: {lost}") from lost
        self._link.leave()
        await self._link.connect()


class RemoteDetector(RemoteEngine):
    """A `DetectorEngine` elsewhere."""

    @asynccontextmanager
    async def open(
        self,
        *,
        min_speech_ms: int | None = None,
        min_silence_ms: int | None = None,
        padding_ms: int | None = None,
    ) -> AsyncGenerator["_Detector"]:
        link = self._remote.link(
            min_speech_ms=min_speech_ms, min_silence_ms=min_silence_ms, padding_ms=padding_ms
        )
        async with linked(link, tasks=True):
            yield _Detector(link)


class _Detector:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def detect(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[SpeechStart | SpeechEnd]:
        """Hear again, after a loss, what may belong to the speech that goes on."""
        told, losses = False, _Losses(self._link, "detector")
        async with self._link.reading(Replay(audio, _HEARD)) as replay:
            while True:
                source = self._link.stream("detect", window=_AHEAD, replay=replay)
                try:
                    async with aclosing(source) as events:
                        async for event in events:
                            losses.progress()
                            replay.drop(lambda chunk, at=event.at: chunk.end <= at)
                            if isinstance(event, SpeechStart) == told:
                                continue  # it is the start that was told before the loss
                            told = not told
                            yield event
                    if told and replay.kept:
                        yield SpeechEnd(replay.kept[-1].end)
                    return
                except Lost as lost:
                    await losses.mend(lost)


class RemoteEndpointer(RemoteEngine):
    """An `EndpointerEngine` elsewhere."""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["_Endpointer"]:
        async with linked(self._remote.link()) as link:
            yield _Endpointer(link)


class _Endpointer:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def finished(self, audio: Audio) -> float:
        losses = _Losses(self._link, "endpointer")
        while True:
            try:
                return await self._link.ask("finished", audio)
            except Lost as lost:
                await losses.mend(lost)


class RemoteRecognizer(RemoteEngine):
    """A `RecognizerEngine` elsewhere."""

    @asynccontextmanager
    async def open(
        self, *, languages: Sequence[str] = (), live: bool = False
    ) -> AsyncGenerator["_Recognizer"]:
        link = self._remote.link(languages=tuple(languages), live=live)
        async with linked(link, tasks=True):
            yield _Recognizer(link)


class _Recognizer:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def transcribe(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Transcript]:
        """Hear the whole utterance again after a loss."""
        losses = _Losses(self._link, "recognizer")
        async with self._link.reading(Replay(audio)) as replay:
            while True:
                source = self._link.stream("transcribe", window=_AHEAD, replay=replay)
                try:
                    async with aclosing(source) as transcripts:
                        async for transcript in transcripts:
                            yield transcript
                    return
                except Lost as lost:
                    await losses.mend(lost)


class RemoteChat(RemoteEngine):
    """A `ChatEngine` elsewhere. It cannot call tools, which live in the server."""

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["_Chat"]:
        async with linked(self._remote.link(system=system)) as link:
            yield _Chat(link)


class _Chat:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Ask again after a loss, and go on where the new answer follows the old one.

        Raises:
            ChatError: also if it does not, so that another engine may answer.
        """
        said, losses = "", _Losses(self._link, "chat")
        while True:
            again = ""
            source = self._link.stream("reply", tuple(messages), window=_WORDS)
            try:
                async with aclosing(source) as pieces:
                    async for piece in pieces:
                        again += piece
                        if not (said.startswith(again) or again.startswith(said)):
                            raise ChatError("unreachable", "the machine that thought is gone")
                        if len(again) > len(said):
                            piece, said = again[len(said) :], again
                            yield piece
                return
            except Lost as lost:
                await losses.mend(lost)


class RemoteVoice(RemoteEngine):
    """A `VoiceEngine` elsewhere."""

    @property
    def languages(self) -> tuple[str, ...]:
        return self._remote.about.languages

    @property
    def speakers(self) -> tuple[str, ...]:
        return self._remote.about.speakers

    def open(
        self, *, language: str = "en", speaker: Speaker | None = None
    ) -> AbstractAsyncContextManager["_Voice"]:
        return self._open(language, speaker)

    @asynccontextmanager
    async def _open(self, language: str, speaker: Speaker | None) -> AsyncGenerator["_Voice"]:
        link = self._remote.link(language=language, speaker=speaker)
        async with linked(link, tasks=True):
            yield _Voice(link)

    async def enrol(self, sample: Audio) -> Speaker:
        return await self._remote.call("enrol", sample)


class RefiningRemoteVoice(RemoteVoice):
    """A `RefiningVoiceEngine` elsewhere."""

    async def refine(self, sample: Audio, speaker: Speaker) -> AsyncGenerator[Refinement]:
        handle = self._remote.handle.options(stream=True, method_name="refine")
        response = handle.remote(sample, speaker)
        try:
            while True:
                try:
                    message = await answer(anext(response), "voice")
                except StopAsyncIteration:
                    return
                except Lost as lost:
                    raise EngineError("voice", f"the search was lost: {lost}") from lost
                if isinstance(message, Failed):
                    raise message.error
                yield message.value
        finally:
            response.cancel()


class _Voice:
    def __init__(self, link: Link) -> None:
        self._link = link
        self.rate = link.opened.rate

    async def speak(self, text: AsyncIterable[str]) -> AsyncGenerator[Audio]:
        """Say the sentence again that was being said at a loss, and leave out what was heard."""
        losses, said = _Losses(self._link, "voice"), _Said()
        async with self._link.reading(Replay(text)) as replay:
            while True:
                source = self._link.stream("speak", window=_AHEAD, replay=replay)
                try:
                    async with aclosing(source) as speech:
                        async for chunk in speech:
                            losses.progress()
                            audio = said.new(chunk)
                            if audio is not None:
                                yield audio
                    return
                except Lost as lost:
                    replay.replace(said.rest("".join(replay.kept)))
                    await losses.mend(lost)


class _Said:
    """What was said of a text, and since when its newest sentence."""

    def __init__(self) -> None:
        self._end = 0  # samples that were heard
        self._begin = 0  # where what the replica says begins in what is heard
        self._sentence = (0, 0)  # samples, letters of the text that go before
        self._letters = 0  # of the text, white space left out
        self._before = 0  # letters that the replica was not given
        self._ended = True

    def new(self, audio: Audio) -> Audio | None:
        """Return what is new in a chunk, in the time of what is heard; None if nothing is."""
        shift = self._begin
        audio = replace(
            audio,
            start=audio.start + shift,
            phonemes=tuple(
                replace(one, start=one.start + shift, end=one.end + shift) for one in audio.phonemes
            ),
        )
        if audio.end <= self._end:
            return None
        if audio.text.strip():
            if self._ended and audio.start >= self._end:
                self._sentence = (audio.start, self._letters)
            if audio.start >= self._end:
                self._letters += _letters(audio.text)
                self._ended = audio.text.rstrip().endswith(tuple(_ENDS))
        audio = audio.after(self._end)
        self._end = audio.end
        return audio

    def rest(self, text: str) -> list[str]:
        """Return what of the text another replica is to say, its newest sentence again."""
        self._begin, letters = self._sentence
        skip, self._before = letters - self._before, letters
        at = 0
        while skip and at < len(text):
            skip -= not text[at].isspace()
            at += 1
        rest = text[at:].lstrip()
        return [rest] if rest else []


def _letters(text: str) -> int:
    return sum(not letter.isspace() for letter in text)
