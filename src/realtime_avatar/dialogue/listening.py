"""The microphone as turns: when somebody speaks, what they say, when they have finished."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Generator,
    Sequence,
)
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from anyio import Event, create_task_group

from realtime_avatar.dialogue.conversation import last_word
from realtime_avatar.dialogue.echo import Echo
from realtime_avatar.dialogue.fillers import only_fillers, steady, trails_off
from realtime_avatar.dialogue.microphone import Microphone
from realtime_avatar.dialogue.newest import Newest
from realtime_avatar.dialogue.utterance import MARGIN, Utterance
from realtime_avatar.engines.ports import (
    DetectorEngine,
    EndpointerEngine,
    Recognizer,
    RecognizerEngine,
    SpeechEnd,
    SpeechStart,
    Transcript,
)
from realtime_avatar.errors import AvatarError, EngineError
from realtime_avatar.hearing.activity import RATE
from realtime_avatar.media import Audio

MIN_SPEECH_MS: Final = 64
"""Speech after which a turn begins, and goes on."""

MIN_SILENCE_MS: Final = 32
"""Silence after which it is recognised what was said until then, in case that was all. In four
minutes of speech there are 71 such pauses; with 64 ms it would be 64."""

# From here on in samples at 16 kHz.
NOTHING: Final = RATE // 2  # silence after which noise and fillers are dropped
SHORT: Final = RATE * 6 // 10  # what is longer may be words that are not understood yet
UNCLEAR: Final = RATE * 6 // 5  # silence after which that is dropped too
BRIEF: Final = RATE * 8 // 125  # silence after which what is that short is recognised
PARTIAL: Final = RATE  # from one guess to the next while nobody pauses
CONTEXT: Final = 8 * RATE  # that the endpointer hears
LONGEST: Final = 120 * RATE  # after which a turn is ended

# Silence that ends a turn, by the probability that it is over.
_SURE: Final = (0.0, 0.5, 0.9)
_WAIT: Final = (1.2 * RATE, 0.7 * RATE, 0.25 * RATE)
CERTAIN: Final = 0.7 * RATE  # if no longer a wait, an answer is begun at once; else in its midst
UNLIKELY: Final = 0.1  # probability that words are all which cannot be
WORD: Final = 0.9  # probability from which a short hum is a word
SOUND: Final = 0.2  # and below which any short sound is none


@dataclass(frozen=True, slots=True)
class Began:
    """Somebody seems to begin to speak, a tenth of a second ago. `at`: their first sample."""

    at: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """It was no turn: a cough, noise, or only a filler word. `at`: first sample after it."""

    at: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The words could not be heard, because an engine failed; the turn is over."""

    error: AvatarError


@dataclass(frozen=True, slots=True)
class Partial:
    """Their words so far; each replaces the one before."""

    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Likely:
    """They have probably finished, and this is what they said: an answer may be begun."""

    transcript: Transcript


@dataclass(frozen=True, slots=True)
class GoesOn:
    """They had not: what was begun on the last `Likely` is void. `at`: where they went on."""

    at: int


@dataclass(frozen=True, slots=True)
class Ended:
    """They have finished. The transcript is that of the last `Likely`, which always precedes."""

    transcript: Transcript


Cue = Began | Dropped | Failed | Partial | Likely | GoesOn | Ended
"""What the listener tells. A turn is: Began, then Partials and Likelys, a GoesOn after every
Likely but the last, then one of Ended, Dropped and Failed. All positions, those of the
transcripts included, count like the microphone's `Audio.start`: `transcript.end` is the first
sample after the last speech."""


class Listener:
    """Hears one person's turns.

    At the first 32 ms of silence two engines set to work: the recogniser on what was said
    and the endpointer on whether that was all. Silence long enough for the endpointer's
    verdict then ends the turn, and its words are there already; speech that goes on before
    makes them a guess. Recognition runs beside all else, one at a time, a newer one
    replacing the one before, so that the microphone never waits.

    Args:
        detector: Says where speech is.
        recognizer: Hears the words.
        endpointer: Tells whether a turn is over.
        languages: That are heard (ISO 639-1); all that the recogniser knows if empty.
        echo: Knows what the avatar plays; without it every voice is the person's.
    """

    def __init__(
        self,
        detector: DetectorEngine,
        recognizer: RecognizerEngine,
        endpointer: EndpointerEngine,
        *,
        languages: Sequence[str] = (),
        echo: Echo | None = None,
    ) -> None:
        self._detector, self._recognizer = detector, recognizer
        self._endpointer, self._echo = endpointer, echo
        self._languages = tuple(languages)
        self._tell: Callable[[Cue], None] = _nobody
        self._microphone = Microphone()
        self._speech: int | None = None  # where it began, while there is some
        self._turn: Utterance | None = None
        self._decoding, self._judging = Newest[_Job](), Newest[_Job]()
        self._over = Event()

    async def listen(self, audio: AsyncIterable[Audio], tell: Callable[[Cue], None]) -> None:
        """Listen until the audio ends and with it the turn, or until cancelled.

        Args:
            audio: The microphone: consecutive chunks of about 20 ms at 16 kHz.
            tell: Called with each cue, at once, from this task group; it must not block.

        Raises:
            EngineError: if the detector fails; other engines' errors are told (`Failed`).
            ConfigError: for a language that the recogniser does not know.
        """
        self._tell, self._microphone = tell, Microphone()
        self._speech = self._turn = None
        try:
            async with create_task_group() as tasks:
                tasks.start_soon(self._recognize)
                tasks.start_soon(self._judge)
                await self._detect(audio)
                tasks.cancel_scope.cancel()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    def hold(self) -> None:
        """Begin a turn that no silence ends until `force_end`: a button is held."""
        if self._turn is None:
            self._begin(self._microphone.end)
        if self._turn is not None:
            self._turn.held = True

    def force_end(self) -> None:
        """End the turn now, whatever the silence: the button is let go. Without one, nothing."""
        turn = self._turn
        if turn is None or turn.forced:
            return
        turn.forced = True
        if turn.pause is None:
            self._pauses(self._microphone.end)
        elif turn.asked != turn.pause:
            self._ask(turn, turn.pause)
        self._consider()

    def restrict(self, languages: Sequence[str]) -> None:
        """Hear only these languages, from the next decoding on; all if empty."""
        self._languages = tuple(languages)

    async def _detect(self, audio: AsyncIterable[Audio]) -> None:
        opened = self._detector.open(
            min_speech_ms=MIN_SPEECH_MS, min_silence_ms=MIN_SILENCE_MS, padding_ms=0
        )
        async with opened as detector, aclosing(detector.detect(self._taken(audio))) as events:
            async for event in events:
                match event:
                    case SpeechStart(at):
                        self._speaks(at)
                    case SpeechEnd(at):
                        self._pauses(at)
        if self._turn is not None:
            self._over = Event()
            self.force_end()
            await self._over.wait()

    async def _taken(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Audio]:
        """Yield the microphone to the detector; what came before has been through it."""
        async for chunk in audio:
            self._look()
            self._microphone.push(chunk)
            if self._echo:
                self._echo.hear(chunk)
            yield chunk

    def _look(self) -> None:
        """See what the time that has passed means."""
        turn, now = self._turn, self._microphone.end
        if turn is None:
            self._microphone.forget(now - RATE)
            if self._speech is not None:
                self._speaks(self._speech)
            return
        self._microphone.forget(min(turn.start, now - CONTEXT))
        if now - turn.began > LONGEST:
            self.force_end()
        elif turn.pause is not None:
            if turn.asked != turn.pause and now - turn.pause >= BRIEF:
                self._ask(turn, turn.pause)
            self._consider()
        elif self._decoding.idle and now - turn.tried >= PARTIAL:
            self._decode(turn)

    def _speaks(self, at: int) -> None:
        self._speech = at
        turn = self._turn
        if turn is None:
            since = self._echo.foreign_since if self._echo else at
            if since is not None:
                self._begin(max(at, since))
        elif turn.pause is not None and not turn.forced:
            turn.resume(at)
            if turn.likely:
                turn.likely = False
                self._tell(GoesOn(at))

    def _begin(self, at: int) -> None:
        self._turn = Utterance(at, at - MARGIN, at)
        self._tell(Began(at))

    def _pauses(self, at: int) -> None:
        self._speech = None
        turn = self._turn
        if turn is not None and turn.pause is None:
            turn.pause = max(at, turn.began)
            if self._echo and not turn.held and self._echo.explains(turn.began, turn.pause):
                self._finish(Dropped(turn.pause))
                return
            if turn.forced or turn.pause - turn.began >= SHORT:
                self._ask(turn, turn.pause)

    def _ask(self, turn: Utterance, pause: int) -> None:
        """Have the engines say what was said until the pause, and whether that was all."""
        turn.asked = pause
        if pause - turn.began < SHORT:
            turn.steady = steady(self._microphone.sound(turn.began, pause))
        self._decode(turn)
        now = self._microphone.end
        context = self._microphone.sound(max(turn.began - MARGIN, now - CONTEXT), now)
        self._judging.put(_Job(turn, pause, context))

    def _decode(self, turn: Utterance) -> None:
        now = self._microphone.end
        self._decoding.put(_Job(turn, turn.pause, self._microphone.sound(turn.start, now)))

    async def _recognize(self) -> None:
        while True:
            languages = self._languages
            async with self._recognizer.open(languages=languages, live=True) as recognizer:

                async def hear(job: _Job, recognizer: Recognizer = recognizer) -> None:
                    with self._failing(job.turn, "recognizer"):
                        self._decoded(job, await last_word(recognizer, job.audio))

                await self._decoding.work(hear, lambda known=languages: known == self._languages)

    async def _judge(self) -> None:
        async with self._endpointer.open() as endpointer:

            async def judge(job: _Job) -> None:
                with self._failing(job.turn, "endpointer"):
                    finished = await endpointer.finished(job.audio)
                    if job.pause == job.turn.pause:
                        job.turn.finished = finished
                        self._consider()

            await self._judging.work(judge, lambda: True)

    def _decoded(self, job: "_Job", heard: Transcript) -> None:
        turn = self._turn
        if turn is None or turn is not job.turn:
            return
        turn.tried = self._microphone.end
        if job.pause is not None and job.pause == turn.pause:
            turn.heard = heard
            self._consider()
            return
        self._guess(turn, heard)
        if job.pause == turn.resumed[0]:
            turn.commit(*turn.resumed, heard)

    def _guess(self, turn: Utterance, heard: Transcript) -> None:
        words = self._transcript(turn, heard, final=False)
        if words.text != turn.guessed and not turn.likely and not only_fillers(words.text):
            turn.guessed = words.text
            self._tell(Partial(words))

    def _consider(self) -> None:
        """See whether the pause ends the turn."""
        turn = self._turn
        if turn is None or turn.pause is None or turn.heard is None:
            return
        if turn.finished is None and not turn.forced:
            return
        silence, text = self._microphone.end - turn.pause, turn.text(turn.heard)
        if (patience := _patience(turn, turn.pause - turn.began, text)) is not None:
            if silence >= patience:
                self._finish(Dropped(turn.pause))
            return
        self._guess(turn, turn.heard)
        wait = 0.0
        if not turn.forced:
            if turn.held or turn.finished is None:
                return
            finished = min(turn.finished, UNLIKELY) if trails_off(text) else turn.finished
            wait = float(np.interp(finished, _SURE, _WAIT))
        words = self._transcript(turn, turn.heard, final=True)
        if not turn.likely and (wait <= CERTAIN or silence >= wait / 2):
            turn.likely = True
            self._tell(Likely(words))
        if silence >= wait:
            self._finish(Ended(words))

    def _finish(self, cue: Ended | Dropped | Failed) -> None:
        self._turn = None
        self._over.set()
        self._tell(cue)

    @contextmanager
    def _failing(self, turn: Utterance, stage: str) -> Generator[None]:
        """Tell what an engine raises; the turn is over then."""
        try:
            yield
        except Exception as error:
            if turn is self._turn:
                ours = isinstance(error, AvatarError)
                self._finish(Failed(error if ours else EngineError(stage, str(error))))

    def _transcript(self, turn: Utterance, tail: Transcript, *, final: bool) -> Transcript:
        start = turn.began
        end = turn.pause or self._microphone.end
        return Transcript(turn.text(tail), final, start, end, tail.language)


@dataclass(frozen=True, slots=True)
class _Job:
    """Something to be decoded or judged: the `turn` until `pause`, or until now."""

    turn: Utterance
    pause: int | None
    audio: Audio


def _patience(turn: Utterance, length: int, text: str) -> int | None:
    """Return the silence after which what was heard proves to be no turn; None for a turn."""
    if turn.forced:
        return 0 if only_fillers(text) else None
    if turn.held:
        return LONGEST if only_fillers(text) else None
    if only_fillers(text):
        return NOTHING if length < SHORT else UNCLEAR
    if turn.finished is None or length >= SHORT:
        return None
    # The recogniser makes words of any hum; the melody of "yes" is another than that of "uh".
    if turn.steady and turn.finished < WORD:
        return NOTHING
    return UNCLEAR if turn.finished < SOUND else None


def _nobody(_: Cue) -> None:
    """Tell nobody, before there is somebody to tell."""
