"""What each kind of engine must do: one streaming verb.

An engine object holds shared weights and may serve many sessions at once. Its `open()`
is an async context manager that holds one session's state:

    async with engine.open(language="en") as voice:
        async for audio in voice.speak(words):
            ...

Rules for every engine, checked by `tests/contract`:

- The class names the models it needs in `models`, and is constructed with a `Context`
  in a worker thread. A missing model or a wrong option is an error there, in words.
- Streams are lazy: nothing is computed before the first item is asked for, little more
  than one item ahead, and an empty input gives an empty output.
- Computing happens in worker threads, in steps of about 100 ms (`engines.runtime`), so
  that cancelling is prompt; a cancelled or closed stream leaves the session usable.
- Failures at work are `EngineError(stage, ...)`; bad input is `InputError`.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.picture import Frame


@dataclass(frozen=True, slots=True)
class SpeechStart:
    """Somebody began to speak. `at`: sample, counted like `Audio.start`."""

    at: int


@dataclass(frozen=True, slots=True)
class SpeechEnd:
    """They stopped. `at`: first sample after the speech."""

    at: int


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some of the words that were heard, and when they were said.

    Attributes:
        text: As of `Transcript`.
        start: First sample, as of `Transcript`.
        end: First sample after it.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """Words that were heard.

    Attributes:
        text: As written language; empty when nothing was said.
        final: False for a guess that the next transcript replaces.
        start: First sample of the speech, counted like `Audio.start`.
        end: First sample after it.
        language: ISO 639-1 code, empty when unknown.
        phrases: Its words in order, as finely as the engine knows their times; none if it
            knows no more than the above.
    """

    text: str
    final: bool
    start: int
    end: int
    language: str = ""
    phrases: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as a language model sees it."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whose voice it is.

    Attributes:
        name: As an engine lists it, or as its owner called it.
        data: Whatever the engine that made it needs to speak so.
    """

    name: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Rig:
    """A portrait made ready to move.

    Attributes:
        width: Of every picture, pixels, even.
        height: Of every picture, pixels, even.
        data: Whatever the engine that made it needs to move it.
        remarks: One sentence for each thing that a better portrait would do better.
    """

    width: int
    height: int
    data: Any = None
    remarks: tuple[str, ...] = ()


class Engine(Protocol):
    """What all engines share."""

    models: ClassVar[tuple[str, ...]]
    """Ids of the catalogue's models that it needs with its default options."""

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        ...


class Detector(Protocol):
    """Says where speech is, in one stream of sound."""

    def detect(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[SpeechStart | SpeechEnd]:
        """Yield where speech starts and ends, alternating; an end for every start."""
        ...


class DetectorEngine(Engine, Protocol):
    """Makes detectors."""

    def open(
        self,
        *,
        min_speech_ms: int | None = None,
        min_silence_ms: int | None = None,
        padding_ms: int | None = None,
    ) -> AbstractAsyncContextManager[Detector]:
        """Open a session. What is not given is as the engine's own options say.

        Args:
            min_speech_ms: A shorter burst is no speech; a start is told once it is as long.
            min_silence_ms: A shorter pause does not end speech; an end is told after it.
            padding_ms: Added before and after speech.
        """
        ...


class Endpointer(Protocol):
    """Tells whether somebody who pauses has finished."""

    async def finished(self, audio: Audio) -> float:
        """Return the probability that the turn is over.

        Args:
            audio: The turn until now, the beginning of the pause included; its last seconds
                are enough.
        """
        ...


class EndpointerEngine(Engine, Protocol):
    """Makes endpointers."""

    def open(self) -> AbstractAsyncContextManager[Endpointer]: ...


class Recognizer(Protocol):
    """Hears words, one utterance after another."""

    def transcribe(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Transcript]:
        """Yield what was said in one utterance: guesses, if any, then one final transcript."""
        ...


class RecognizerEngine(Engine, Protocol):
    """Makes recognizers."""

    def open(
        self, *, languages: Sequence[str] = (), live: bool = False
    ) -> AbstractAsyncContextManager[Recognizer]:
        """Open a session.

        Args:
            languages: That it hears (ISO 639-1); all it knows if empty.
            live: Whether somebody waits: sooner matters more than the last rare word. Audio
                that begins at the same sample as that of the call before is then the same
                utterance, heard for longer.

        Raises:
            ConfigError: for a language that it does not know.
        """
        ...


class Chat(Protocol):
    """Thinks of answers."""

    def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Yield the answer to the last message in pieces that join to the whole text.

        Raises:
            ChatError: if there is none, or no more of it, for a reason that can be said.
        """
        ...


@runtime_checkable
class ReadsAhead(Protocol):
    """A chat that answers sooner what it has begun to read while it was being said."""

    async def read_ahead(self, messages: Sequence[Message]) -> None:
        """Read the messages of a coming request, as far as they are known.

        Args:
            messages: The last one may be unfinished or empty. No other request is under way.

        Raises:
            EngineError: if it fails; `reply` may work all the same.
        """
        ...


class ChatEngine(Engine, Protocol):
    """Makes chats."""

    def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AbstractAsyncContextManager[Chat]:
        """Open a session.

        Args:
            system: The system message that the first request will start with, so that an
                engine can read it before somebody waits.
            tools: What the model may call; an engine that cannot have it call does not look.
        """
        ...


class Voice(Protocol):
    """Speaks one text after another."""

    @property
    def rate(self) -> int:
        """Sample rate of what it speaks, Hz."""
        ...

    def speak(self, text: AsyncIterable[str]) -> AsyncGenerator[Audio]:
        """Say the text as it comes in, clause by clause.

        Yields:
            Consecutive audio from sample 0. The `text` of all of it joins to the text
            that was said (white space may differ), so that the words heard until any
            moment are known.
        """
        ...


class VoiceEngine(Engine, Protocol):
    """Makes voices."""

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes that it speaks."""
        ...

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names of the stock speakers, the default one first."""
        ...

    def open(
        self, *, language: str = "en", speaker: Speaker | None = None
    ) -> AbstractAsyncContextManager[Voice]:
        """Open a session.

        Args:
            language: Of the text; other languages' words in it are spoken as well as can be.
            speaker: Whose voice; `Speaker(name)` picks a stock one. Default: the engine's
                choice for the language.

        Raises:
            ConfigError: for a language or speaker that it does not know.
        """
        ...

    async def enrol(self, sample: Audio) -> Speaker:
        """Learn a voice from a sample.

        Raises:
            InputError: if the engine cannot clone voices or the sample is no good.
        """
        ...


@dataclass(frozen=True, slots=True)
class Refinement:
    """How far the search for a better likeness is.

    Attributes:
        share: Done, in [0, 1].
        speaker: The best voice so far.
        similarity: Of it to the sample, a cosine, as the search measures it.
    """

    share: float
    speaker: Speaker
    similarity: float


@runtime_checkable
class RefiningVoiceEngine(Protocol):
    """A voice engine whose `enrol` gives a guess at once, which it can better in minutes."""

    def refine(self, sample: Audio, speaker: Speaker) -> AsyncGenerator[Refinement]:
        """Search for a voice more like the sample; never a less intelligible one.

        Args:
            sample: What `enrol` had.
            speaker: What it gave.
        """
        ...


Presence = Literal["idle", "listening", "nodding", "thinking"]
"""What a face that says nothing does: it only lives; it listens; it listens and nods, once
each time that this begins; it looks for an answer."""


class Face(Protocol):
    """Shows one speech after another, and lives on between them."""

    def animate(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Shot]:
        """Show the face saying this.

        Yields:
            Shots whose audio joins to all that came in, the last one filled up with
            silence; `text` and `phonemes` stay with the samples they came with.
        """
        ...

    async def idle(self, presence: Presence = "idle") -> Frame:
        """Return the next picture of the face while it says nothing.

        One call is one frame of its time. It may be called from another task between two
        shots of `animate`, too, when those are late.

        Returns:
            See `Frame`; not to be changed: where nothing has moved that could be seen it may be
            the array of the picture before, by which an encoder knows.
        """
        ...

    def unseen(self, shots: int) -> None:
        """Say that the last `shots` shots of `animate` were never shown.

        What comes next goes on smoothly from the picture that was. To be called before
        that is asked for.
        """
        ...


@runtime_checkable
class ResumableFace(Protocol):
    """A face that another session of its engine, perhaps elsewhere, can go on from."""

    @property
    def after(self) -> Any:
        """What `resume` needs to go on from the picture made last; small, and picklable."""
        ...

    def resume(self, after: Any) -> None:
        """Go on smoothly from what `after` was; to be called before a picture is asked for."""
        ...


@runtime_checkable
class SkippingFace(Protocol):
    """A face that catches up when it is late, by pictures that it leaves out."""

    def skip(self, until: int) -> None:
        """Say that the sound of the speech under way has been heard up to this sample.

        Shots from before it come without a picture: nobody would see it.
        """
        ...


class FaceEngine(Engine, Protocol):
    """Makes faces."""

    async def enrol(
        self, portrait: NDArray[np.uint8], *, size: tuple[int, int] | None = None
    ) -> Rig:
        """Make a portrait ready to move.

        Args:
            portrait: RGB, shape (height, width, 3), upright.
            size: Width and height of the pictures, even; by default the portrait's own
                shape, made even and at most 1080 high.

        Raises:
            InputError: if it has no usable face, and why.
        """
        ...

    def open(self, rig: Rig, *, fps: int = 25) -> AbstractAsyncContextManager[Face]:
        """Open a session. `fps`: pictures a second, 25, 30 or 50.

        Raises:
            CapacityError: if its device does not sustain one more.
        """
        ...


@runtime_checkable
class BoundedFaceEngine(Protocol):
    """A face engine whose device sustains so many sessions."""

    @property
    def capacity(self) -> int:
        """How many."""
        ...
