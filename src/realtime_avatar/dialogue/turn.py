"""One turn: the user's words in; the avatar's voice and face out."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from typing import TypeVar

from anyio import CancelScope, Event, create_memory_object_stream, create_task_group
from anyio.abc import ObjectSendStream
from anyio.streams.memory import MemoryObjectReceiveStream

from realtime_avatar.dialogue.history import History
from realtime_avatar.dialogue.hold import hold_picture
from realtime_avatar.dialogue.lateness import Punctual
from realtime_avatar.dialogue.moods import Moods
from realtime_avatar.engines.ports import Chat, Face, Message, SkippingFace, Voice
from realtime_avatar.errors import AvatarError, EngineError, InputError
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.playout import Playout
from realtime_avatar.telemetry.timings import Timings

T = TypeVar("T")

# Queue bounds: all that an interruption can waste, and all the memory that a fast stage
# can fill. A voice that speaks a clause at a time needs 4 s in chunks of 200 ms to have no
# gaps. A shot of 512x512 is 0.8 MB. Words are few: a model that thinks on while a voice
# computes its first clause takes half of the processor from it.
TOKENS, CHUNKS, SHOTS = 4, 20, 5

UNREADABLE = "the voice cannot read this text: it has none of the letters that it knows"


@dataclass(frozen=True, slots=True)
class Engines:
    """One session's engines, open.

    Attributes:
        voice: Says it.
        face: Shows it.
        chat: Thinks of it; a session that only says given texts has none.
        fps: Pictures a second that the face makes.
        emotion: Of what is not tagged otherwise, one of `media.audio.EMOTIONS`.
        punctual: Whether pictures that are late are left out, as somebody is listening.
    """

    voice: Voice
    face: Face
    chat: Chat | None = None
    fps: int = 25
    emotion: str = "neutral"
    punctual: bool = False


class Turn:
    """Answers one utterance aloud: chat -> voice -> face -> playout.

    Each stage has its own task and a bounded queue to the next, so a slow face slows
    the voice instead of filling memory. A stage that fails ends its stream early: what
    it made until then is still played out, and `run` says so afterwards.

    Args:
        engines: Open.
        history: What was said before; the turn is added to it when it has ended.
        playout: Where it is heard and seen.
        timings: To be filled in.
        go: Nothing is heard before this is set. A turn stopped before that was a guess
            which proved wrong, and leaves no trace in the history.
        told: Told of each piece of the text when it has been thought of; the turn waits.

    Attributes:
        text: What the avatar wanted to say, as far as it is known.
        heard: What was heard of it; known when the turn has ended.
        made: How many shots the face has made.
    """

    def __init__(
        self,
        engines: Engines,
        history: History,
        playout: Playout,
        timings: Timings | None = None,
        go: Event | None = None,
        told: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._engines, self._history, self._playout = engines, history, playout
        self._timings, self._go, self._told = timings or Timings(), go, told
        self._scope, self._ended = CancelScope(), Event()
        self._failures: list[AvatarError] = []
        self.text = ""
        self.heard = ""
        self.made = 0

    async def run(self, text: str) -> None:
        """Answer `text`; return once it is played out or stopped.

        Raises:
            ExceptionGroup: of AvatarErrors, one for each stage that failed, or for a text that
                the voice cannot read.
        """
        if self._engines.chat is None:
            raise EngineError("chat", "this session was opened without one")
        messages = [*self._history.messages, Message("user", text)]
        await self._play("chat", self._engines.chat.reply(messages), text)

    async def say(self, text: str) -> None:
        """Say `text` itself; otherwise like `run`."""
        await self._play("text", _whole(text))

    async def stop(self) -> None:
        """Fall silent now; return when every stage has let go of its engine."""
        self._scope.cancel()
        await self._ended.wait()

    async def _play(self, first: str, reply: AsyncGenerator[str], asked: str = "") -> None:
        timings, engines = self._timings, self._engines
        timings.begin()
        for name in (first, "voice", "face", "playout"):
            timings.stage(name)  # in this order, whichever is first to work
        try:
            with self._scope, ExitStack() as ends:
                async with create_task_group() as tasks:

                    def stage(
                        name: str, source: AsyncGenerator[T], bound: int
                    ) -> MemoryObjectReceiveStream[T]:
                        send, receive = create_memory_object_stream[T](bound)
                        tasks.start_soon(self._pump, name, timings.measured(name, source), send)
                        return ends.enter_context(receive)

                    moods, punctual = Moods(engines.emotion), self._punctual()
                    words = stage(first, self._noted(moods.untagged(reply)), TOKENS)
                    speech = engines.voice.speak(timings.waited("voice", words))
                    speech = punctual.spoken(moods.coloured(speech))
                    voice = stage("voice", speech, CHUNKS)
                    made = stage("face", self._shown(timings.waited("face", voice)), SHOTS)
                    shots = punctual.shots(made) if engines.punctual else made
                    with timings.working("playout"):
                        await self._playout.play(timings.waited("playout", shots))
        finally:
            if self._go is None or self._go.is_set():
                if asked:
                    self._history.add_user(asked)
                self.heard = self._playout.stop()  # what was heard, not what was made
                self._history.add_avatar(self.heard)
            self._ended.set()
        unread = not (self.made or self._failures or self._scope.cancel_called)
        if unread and any(letter.isalnum() for letter in self.text):
            self._failures.append(InputError(UNREADABLE))
        if self._failures:
            raise ExceptionGroup("a stage failed", self._failures)

    async def _noted(self, reply: AsyncGenerator[str]) -> AsyncGenerator[str]:
        async with aclosing(reply):
            async for piece in reply:
                self.text += piece
                if self._told is not None:
                    await self._told(piece)
                yield piece

    async def _shown(self, voice: AsyncIterable[Audio]) -> AsyncGenerator[Shot]:
        if self._go is not None:
            # Not later: what the face shows now must follow from what it showed last.
            await self._go.wait()
        face, fps = self._engines.face, self._engines.fps
        async with aclosing(hold_picture(face.animate, voice, fps, self._fail_face)) as shots:
            async for shot in shots:
                self.made += 1
                yield shot

    def _punctual(self) -> Punctual:
        face, fps = self._engines.face, self._engines.fps
        return Punctual(fps, face.skip) if isinstance(face, SkippingFace) else Punctual(fps)

    def _fail_face(self, error: Exception) -> None:
        self._fail("face", error)

    def _fail(self, stage: str, error: Exception) -> None:
        if isinstance(error, AvatarError):
            self._failures.append(error)
            return
        failure = EngineError(stage, str(error) or type(error).__name__)
        failure.__cause__ = error
        self._failures.append(failure)

    async def _pump(self, stage: str, source: AsyncGenerator[T], sink: ObjectSendStream[T]) -> None:
        async with sink, aclosing(source):
            try:
                async for item in source:
                    await sink.send(item)
            except Exception as error:  # an engine may fail with anything
                self._fail(stage, error)


async def _whole(text: str) -> AsyncGenerator[str]:
    yield text
