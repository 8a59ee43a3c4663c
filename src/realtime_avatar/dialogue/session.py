"""A live conversation: it listens, answers aloud, and lets itself be interrupted."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from secrets import token_urlsafe
from typing import Final, Literal

from anyio import (
    ClosedResourceError,
    WouldBlock,
    create_memory_object_stream,
    create_task_group,
    current_time,
)
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from realtime_avatar.dialogue import events as message
from realtime_avatar.dialogue.ahead import Ahead
from realtime_avatar.dialogue.answering import Answering
from realtime_avatar.dialogue.chats import Chats
from realtime_avatar.dialogue.echo import Echo
from realtime_avatar.dialogue.ensemble import FPS, Ensemble
from realtime_avatar.dialogue.history import History
from realtime_avatar.dialogue.listening import (
    Began,
    Cue,
    Dropped,
    Ended,
    Failed,
    GoesOn,
    Likely,
    Listener,
    Partial,
)
from realtime_avatar.dialogue.record import Record
from realtime_avatar.dialogue.requests import Taste
from realtime_avatar.dialogue.turn import Turn
from realtime_avatar.dialogue.uplink import Mode, Uplink
from realtime_avatar.engines.ports import Face, Message, Rig, Transcript
from realtime_avatar.errors import AvatarError, leaves
from realtime_avatar.hearing.activity import RATE
from realtime_avatar.media import Audio
from realtime_avatar.media.language import guess_language
from realtime_avatar.media.live import LivePlayout
from realtime_avatar.media.picture import Frame
from realtime_avatar.thinking.knowledge import Passage
from realtime_avatar.thinking.persona import Persona

_EVENTS: Final = 256  # that may wait for a slow page; then the oldest go
_INBOX: Final = 64

State = Literal["idle", "listening", "thinking", "speaking"]


class Session:
    """One person's live conversation with one avatar; made by `open_session`.

    Whatever is heard or commanded goes through one inbox and is dealt with in order, so
    that no two reactions race.

    Attributes:
        id: Unguessable.
        playout: What the person hears and sees.
        history: What was said and heard.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        face: Face,
        listener: Listener,
        echo: Echo,
        stack: AsyncExitStack,
        taste: Taste,
        record: Record | None = None,
    ) -> None:
        self.id = token_urlsafe(12)
        self.history = History()
        self.history.replace(taste.history)
        self.playout = LivePlayout(self._idle, words=self._say_words, fps=FPS)
        self._ensemble, self._face, self._listener = ensemble, face, listener
        self._echo, self._record = echo, record or Record()
        self._chats = Chats(ensemble, stack, self._report, self._cite, taste.persona)
        self._language, self._voice = taste.language, taste.voice
        self._ahead = Ahead(self._chats, self.history, self._possible[0])
        self._uplink = Uplink()
        self._mode: Mode = "always"
        self._speaking = self._typed_over = self._nod = False
        self._guessed = False  # whether the page shows words that may prove to be none
        self._tell, self._told = create_memory_object_stream[message.Event](_EVENTS)
        self._send, self._inbox = create_memory_object_stream[Cue | message.Command](_INBOX)
        for stream in (self._tell, self._told, self._send, self._inbox):
            stack.callback(stream.close)
        self._answering: Answering | None = None
        self._turns = 0
        self._state: State = "idle"

    @property
    def state(self) -> State:
        """What the avatar is doing."""
        return self._state

    @property
    def events(self) -> MemoryObjectReceiveStream[message.Event]:
        """What the page is to know, as it happens."""
        return self._told

    def hear(self, audio: Audio) -> None:
        """Take what the microphone gave: mono, any rate, each chunk after the one before."""
        self._uplink.push(audio)

    def command(self, command: message.Command) -> None:
        """Take a command of the page. One too many at once is ignored, and said to be."""
        self._post(command)

    async def run(self) -> None:
        """Converse until cancelled, or until `finish` was called and all has been said."""
        async with self._tell, create_task_group() as tasks:
            for task in (self.playout.run, self._listen, self._warm, self._ahead.run):
                tasks.start_soon(task)
            tasks.start_soon(self._echo.follow, self.playout)
            self._record.begin(self._emit)
            self._emit(message.State(state=self._state))
            async for item in self._inbox:
                await self._react(tasks, item)
            if self._answering is not None:
                await self._answering.ended.wait()
            tasks.cancel_scope.cancel()

    async def finish(self) -> None:
        """Begin nothing new; return when what is being said has been said."""
        self._send.close()
        if self._answering is not None:
            await self._answering.ended.wait()

    # What is heard and wanted.

    async def _listen(self) -> None:
        try:
            await self._listener.listen(self._uplink.audio(), self._post)
        except AvatarError as error:
            self._emit(message.Problem(message=f"{error}; you can still type", stage="detector"))

    def _post(self, item: Cue | message.Command) -> None:
        try:
            self._send.send_nowait(item)
        except WouldBlock:
            self._emit(message.Problem(message="too much at once: something was ignored"))
        except ClosedResourceError:
            pass  # the session is finishing

    async def _react(self, tasks: TaskGroup, item: Cue | message.Command) -> None:
        if self._passed_over(item):
            return
        match item:
            case Began():
                self._pause()
            case Dropped() | Failed():
                self._go_on(item)
            case Partial(transcript):
                await self._take_floor()
                self._hear_words(transcript, final=False)
                self._ahead.expect(transcript.text, self._spoken(transcript))
            case Likely(transcript):
                await self._take_floor()
                self._hear_words(transcript, final=False)
                self._begin(tasks, self._guess(transcript))
                self._nod = True
            case GoesOn():
                await self._hush()
            case Ended(transcript):
                self._confirm(transcript)
            case message.Say(text=text):
                await self._hush()
                self._type(tasks, text)
            case message.Stop():
                await self._hush()
                self._show("idle")
            case message.Listen(mode=mode):
                self._switch(mode)
            case message.Language(language=language):
                self._keep_to(language)
            case message.Restart():
                await self._hush()
                self.history.replace(())
                self._record.restart()
                self._show("idle")

    def _passed_over(self, item: Cue | message.Command) -> bool:
        """Whether this was said before the person chose to type, or switched listening off."""
        match item:
            case Began():
                self._speaking, self._typed_over = True, self._mode == "never"
                return self._typed_over
            case message.Say():
                self._typed_over = self._speaking
            case Ended() | Dropped() | Failed():
                self._speaking = False
                return self._typed_over
            case Partial() | Likely() | GoesOn():
                return self._typed_over
            case _:
                pass
        return False

    def _pause(self) -> None:
        """Fall silent at a first sound; it may yet be a cough."""
        if self._answering is not None:
            self._fall_silent(self._answering)
        else:
            self._show("listening")
            self._ahead.expect("")

    def _fall_silent(self, answering: Answering) -> None:
        """Send no more of an answer; the face goes on from the last picture that was seen."""
        if self.playout.paused or not answering.go.is_set():
            return
        self.playout.pause()
        if answering.turn is not None and (unseen := answering.turn.made - self.playout.sent) > 0:
            self._face.unseen(unseen)

    def _go_on(self, item: Dropped | Failed) -> None:
        """Go on where a cough made the avatar pause."""
        self.playout.resume()
        if self._guessed:
            self._emit(message.Heard(turn=self._turns + 1, text="", final=True))
            self._guessed = False
        if isinstance(item, Failed):
            self._report(item.error)
        if self._answering is None:
            self._show("idle")

    async def _take_floor(self) -> None:
        """Let the person speak: they have said words, so it is no cough."""
        if self._answering is not None and self._answering.go.is_set():
            await self._hush()
        if self._answering is None:
            self._show("listening")

    def _hear_words(self, transcript: Transcript, *, final: bool, turn: int = 0) -> None:
        self._guessed = not final
        self._emit(
            message.Heard(
                turn=turn or self._turns + 1,
                text=transcript.text,
                final=final,
                language=transcript.language,
                seconds=(transcript.end - transcript.start) / RATE if final else 0.0,
            )
        )

    def _guess(self, transcript: Transcript) -> Answering:
        language = self._spoken(transcript)
        asked = self._uplink.spoken_at(transcript.end)
        answering = Answering(self._turns + 1, transcript.text, language, asked)
        answering.mark("recognizer")
        return answering

    def _confirm(self, transcript: Transcript) -> None:
        """Let the answer that was begun on the last guess be heard."""
        answering = self._answering
        if answering is None or answering.go.is_set():
            return
        self._turns = answering.number
        self._hear_words(transcript, final=True, turn=answering.number)
        self._go(answering)

    def _type(self, tasks: TaskGroup, text: str) -> None:
        self._turns += 1
        language = self._language or self._language_of(text)
        answering = Answering(self._turns, text, language, current_time())
        self._emit(message.Heard(turn=self._turns, text=text, final=True, language=language))
        self._begin(tasks, answering)
        self._go(answering)

    def _switch(self, mode: Mode) -> None:
        if mode == "talk":
            self._listener.hold()
        elif self._mode == "talk":
            self._listener.force_end()
        self._mode = mode
        self._uplink.switch(mode)

    def _keep_to(self, language: str) -> None:
        settings = self._ensemble.settings
        if language and language not in settings.voice:
            known = ", ".join(settings.voice)
            self._emit(message.Problem(message=f"no voice speaks {language!r}; known are: {known}"))
            return
        self._language = language
        self._listener.restrict(self._possible)

    # Answers.

    def _begin(self, tasks: TaskGroup, answering: Answering) -> None:
        self._ahead.stop()
        self._answering = answering
        tasks.start_soon(self._give, answering)

    def _go(self, answering: Answering) -> None:
        answering.mark("end_of_turn")
        answering.go.set()
        self._show("thinking")

    async def _hush(self) -> None:
        """End the answer, or what was begun on a guess."""
        if self._answering is not None:
            self._fall_silent(self._answering)
            await self._answering.stop()

    async def _give(self, answering: Answering) -> None:
        """Give an answer, whatever becomes of it."""
        failures: list[Exception] = []
        try:
            with answering.under_way():
                try:
                    await self._run(answering)
                except Exception as error:  # an engine may fail with anything
                    failures = leaves(error)
                    await answering.go.wait()  # nobody needs to know of a guess
        finally:
            self.playout.resume()  # a turn that was stopped before it began did not
            if answering.go.is_set():
                self._conclude(answering, failures)
            self._answering = None
            answering.ended.set()

    async def _run(self, answering: Answering) -> None:
        language = answering.language
        chat = await self._chats.get(language)
        self.history.system = self._chats.system(language)
        opened = self._ensemble.engines(language, self._face, chat, wish=self._voice, punctual=True)
        async with opened as engines:
            answering.turn = Turn(
                engines, self.history, self.playout, answering.timings, answering.go
            )
            await answering.turn.run(answering.question)

    def _conclude(self, answering: Answering, failures: Sequence[Exception]) -> None:
        for failure in failures:
            self._report(failure)
        self._emit(answering.finished())
        if not answering.cut:
            self._show("idle")

    def _say_words(self, text: str) -> None:
        """The playout has begun to send these words."""
        answering = self._answering
        if answering is None:
            return
        if not answering.audible:
            answering.mark("playout")
            self._show("speaking")
            self._emit(message.TurnTimings(turn=answering.number, stages=answering.stages()))
            if answering.sources:
                self._emit(message.Cited(turn=answering.number, sources=answering.sources))
        self._emit(message.Words(turn=answering.number, text=text))

    def _cite(self, found: Sequence[Passage]) -> None:
        """Something was looked up for the answer that is thought of."""
        if self._answering is not None:
            self._answering.cite(found)

    async def _warm(self) -> None:
        """Have the chat read who it is, and the voice get ready, before somebody waits for them."""
        try:
            await self._chats.get(self._possible[0])
        except AvatarError as error:
            self._report(error)
        with suppress(AvatarError):  # told when it is to speak
            await self._ensemble.warm_voice(self._possible[0], self._voice)

    # What the page is told, and what the face shows.

    @property
    def _possible(self) -> tuple[str, ...]:
        return (self._language,) if self._language else self._ensemble.settings.possible

    def _spoken(self, transcript: Transcript) -> str:
        return self._language or transcript.language or self._language_of(transcript.text)

    def _language_of(self, text: str) -> str:
        return guess_language(text, self._possible)

    def _emit(self, event: message.Event) -> None:
        self._record.note(event)
        try:
            self._tell.send_nowait(event)
        except WouldBlock:  # nobody reads; what is new matters more
            self._told.receive_nowait()
            self._tell.send_nowait(event)

    def _show(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self._emit(message.State(state=state))

    def _report(self, error: Exception) -> None:
        self._emit(message.Problem(message=str(error), stage=getattr(error, "stage", "")))

    async def _idle(self) -> Frame:
        nod, self._nod = self._nod and self._state == "listening", False
        if nod:
            return await self._face.idle("nodding")
        return await self._face.idle("idle" if self._state == "speaking" else self._state)


@asynccontextmanager
async def open_session(
    ensemble: Ensemble,
    rig: Rig,
    *,
    language: str = "",
    voice: str = "",
    history: Sequence[Message] = (),
    record: Record | None = None,
    persona: Persona | None = None,
) -> AsyncGenerator[Session]:
    """Open a live conversation; it converses while its `run` does.

    Args:
        ensemble: The engines.
        rig: The avatar's portrait, enrolled by the ensemble's face.
        language: To keep to, ISO 639-1; empty: as the settings say.
        voice: "engine:speaker", for the languages that it speaks; empty: as the settings say.
        history: What was said before, if an earlier conversation goes on.
        record: Keeps what is said; by default nobody does.
        persona: Who the avatar is; by default as the settings say.

    Raises:
        ConfigError: for a language or a voice that is not known.
        AvatarError: if an engine cannot be loaded.
    """
    settings, language = ensemble.settings, language or ensemble.settings.language
    if language:
        settings.voice_for(language)
    echo = Echo()
    listener = Listener(
        await ensemble.detector(),
        await ensemble.recognizer(),
        await ensemble.endpointer(),
        languages=(language,) if language else settings.possible,
        echo=echo,
    )
    async with AsyncExitStack() as stack:
        face = await stack.enter_async_context((await ensemble.face()).open(rig, fps=FPS))
        taste = Taste(language, voice, history, persona)
        yield Session(ensemble, face, listener, echo, stack, taste, record)
