"""The listener's policies, in a time that is counted by the microphone's samples."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any, ClassVar, cast

import anyio
import numpy as np
import pytest

from realtime_avatar.dialogue import listening
from realtime_avatar.dialogue.echo import Echo
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
from realtime_avatar.engines.fake import FakeDetector
from realtime_avatar.engines.ports import SpeechEnd, SpeechStart, Transcript
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import EngineError
from realtime_avatar.media import Audio
from realtime_avatar.models.store import ModelStore
from streams import settle

pytestmark = pytest.mark.anyio
RATE, CHUNK = 16_000, 320
LEVEL = 2000  # loudness of the first word; each further one is a little louder
Script = Sequence[tuple[str, float]]
Told = list[tuple[float, Cue]]


class Clock:
    """Time that passes with the microphone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.over = False  # the microphone is; nothing takes time any more
        self._tick = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until - 1e-6 and not self.over:
            await self._tick.wait()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        tick, self._tick = self._tick, anyio.Event()
        tick.set()


class Recognizer:
    """Reads the words off the loudness; takes `takes` seconds for it."""

    def __init__(self, clock: Clock, words: list[str], takes: float) -> None:
        self.clock, self.words, self.takes = clock, words, takes
        self.asked: list[float] = []  # seconds of sound, each time
        self.languages: list[Sequence[str]] = []
        self.working = self.most = 0
        self.fails = False

    models: ClassVar[tuple[str, ...]] = ()

    def close(self) -> None: ...

    @asynccontextmanager
    async def open(
        self, *, languages: Sequence[str] = (), live: bool = False
    ) -> AsyncGenerator["Recognizer"]:
        assert live
        self.languages.append(tuple(languages))
        yield self

    async def transcribe(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Transcript]:
        (heard,) = [chunk async for chunk in audio]
        self.asked.append(heard.seconds)
        self.working += 1
        self.most = max(self.most, self.working)
        try:
            await self.clock.sleep(self.takes)
            if self.fails:
                raise RuntimeError("out of memory")
        finally:
            self.working -= 1
        levels = [int(level) for level, _ in groupby(heard.pcm) if level]
        text = " ".join(word for level in levels if (word := self.words[level - LEVEL]))
        yield Transcript(text, True, heard.start, heard.end, "en" if text else "")


class Endpointer:
    """Is as sure as it is told to be."""

    def __init__(self, *sure: float) -> None:
        self.sure = list(sure)
        self.heard: list[Audio] = []
        self.fails = False

    models: ClassVar[tuple[str, ...]] = ()

    def close(self) -> None: ...

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Endpointer"]:
        yield self

    async def finished(self, audio: Audio) -> float:
        self.heard.append(audio)
        if self.fails:
            raise EngineError("endpointer", "out of order")
        return self.sure.pop(0) if len(self.sure) > 1 else self.sure[0]


class Room:
    """A microphone, engines and a listener."""

    def __init__(self, script: Script, *, sure: Sequence[float] = (1.0,), takes: float = 0.1):
        self.clock = Clock()
        self.words = list[str]()
        pcm: list[np.ndarray] = []
        for word, seconds in script:
            if word and word not in self.words:
                self.words.append(word)
            level = LEVEL + self.words.index(word) if word else 0
            pcm.append(np.full(round(seconds * RATE), level, np.int16))
        self.pcm = np.concatenate(pcm)
        self.recognizer = Recognizer(self.clock, self.words, takes)
        self.endpointer = Endpointer(*sure)
        self.detector: Any = FakeDetector(Context(ModelStore()))
        self.echo: Any = None
        self.at: list[tuple[float, Callable[[Listener], None]]] = []

    async def microphone(self, listener: Listener, start: int) -> AsyncGenerator[Audio]:
        for at in range(0, len(self.pcm), CHUNK):
            while self.at and self.at[0][0] <= self.clock.now:
                self.at.pop(0)[1](listener)
            self.clock.advance(CHUNK / RATE)
            yield Audio(self.pcm[at : at + CHUNK], RATE, start + at)
            await settle()
        self.clock.over = True
        self.clock.advance(0)

    async def listen(self, start: int = 0) -> Told:
        listener = Listener(
            self.detector, self.recognizer, self.endpointer, languages=["en"], echo=self.echo
        )
        told: Told = []
        with anyio.fail_after(20):
            await listener.listen(
                self.microphone(listener, start),
                lambda cue: told.append((round(self.clock.now, 3), cue)),
            )
        assert self.recognizer.most <= 1
        check_grammar([cue for _, cue in told])
        return told


def check_grammar(cues: Sequence[Cue]) -> None:
    """Check that turns are made as `Cue` says."""
    open_turn, likely = False, None
    for cue in cues:
        assert open_turn != isinstance(cue, Began)
        match cue:
            case Began():
                open_turn = True
            case Likely(transcript):
                assert likely is None
                likely = transcript
            case GoesOn():
                assert likely is not None
                likely = None
            case Ended(transcript):
                assert transcript == likely
                open_turn, likely = False, None
            case Dropped() | Failed():
                open_turn, likely = False, None
            case Partial():
                assert likely is None
    assert not open_turn


def kinds(told: Told) -> list[type]:
    return [type(cue) for _, cue in told if not isinstance(cue, Partial)]


def texts(told: Told, kind: type) -> list[str]:
    return [cast("Any", cue).transcript.text for _, cue in told if isinstance(cue, kind)]


def when(told: Told, kind: type) -> float:
    return next(at for at, cue in told if isinstance(cue, kind))


async def test_a_turn_is_told_from_its_first_sound_to_its_end():
    told = await Room([("", 0.5), ("hello", 1.0), ("", 1.0)]).listen()
    assert kinds(told) == [Began, Likely, Ended]
    assert when(told, Began) <= 0.6
    # Decoded after 32 ms of silence, and there before the quarter of a second that ends it.
    assert 1.62 <= when(told, Likely) <= 1.68
    assert 1.74 <= when(told, Ended) <= 1.79
    assert told[0][1] == Began(8000)
    assert told[-1][1] == Ended(Transcript("hello", True, 8000, 24_000, "en"))


async def test_what_is_short_is_recognised_a_little_later():
    after = {}
    for seconds in (0.4, 1.0):
        room = Room([("hello", seconds), ("", 1.0)])
        await room.listen()
        after[seconds] = room.recognizer.asked[0] - seconds
    assert 0.06 <= after[0.4] <= 0.12
    assert after[1.0] <= 0.06


async def test_positions_are_the_microphones():
    told = await Room([("", 0.5), ("hello", 1.0), ("", 1.0)]).listen(start=160_000)
    assert told[0][1] == Began(168_000)
    assert told[-1][1] == Ended(Transcript("hello", True, 168_000, 184_000, "en"))


async def test_a_slow_recogniser_ends_the_turn_when_it_is_done():
    told = await Room([("hello", 1.0), ("", 2.0)], takes=0.8).listen()
    assert when(told, Likely) == when(told, Ended) == pytest.approx(1.85, abs=0.03)


@pytest.mark.parametrize(
    ("sure", "likely", "ended"),
    [(0.0, 0.6, 1.2), (0.5, 0.15, 0.7), (0.8, 0.15, 0.36), (1, 0.15, 0.25)],
)
async def test_the_surer_the_sooner(sure: float, likely: float, ended: float):
    told = await Room([("hello", 1.0), ("", 2.0)], sure=[sure]).listen()
    assert when(told, Likely) - 1 == pytest.approx(likely, abs=0.04)
    assert when(told, Ended) - 1 == pytest.approx(ended, abs=0.04)


async def test_a_pause_in_a_sentence_does_not_end_it():
    script = [("I want to know", 1.0), ("", 0.9), ("the highest mountain", 1.0), ("", 2.0)]
    told = await Room(script, sure=[0.02, 0.99]).listen()
    assert kinds(told) == [Began, Likely, GoesOn, Likely, Ended]
    assert texts(told, Partial)[0] == "I want to know"
    assert texts(told, Ended) == ["I want to know the highest mountain"]


async def test_who_goes_on_soon_is_not_even_guessed_to_have_finished():
    script = [("I want to know", 1.0), ("", 0.4), ("the highest mountain", 1.0), ("", 2.0)]
    told = await Room(script, sure=[0.02, 0.99]).listen()
    assert kinds(told) == [Began, Likely, Ended]


@pytest.mark.parametrize("word", ["well,", "I want to...", "the mountain and", "I would uh"])
async def test_words_that_cannot_be_all_wait_whatever_the_melody(word: str):
    told = await Room([(word, 1.0), ("", 2.0)], sure=[1.0]).listen()
    assert when(told, Ended) - 1 == pytest.approx(1.1, abs=0.05)


@pytest.mark.parametrize("sound", ["uh", "Mm-hm.", "嗯。", "eh..."])
async def test_fillers_take_no_turn(sound: str):
    told = await Room([("", 0.2), (sound, 0.4), ("", 1.0)]).listen()
    assert kinds(told) == [Began, Dropped]
    assert texts(told, Partial) == []
    assert when(told, Dropped) == pytest.approx(1.1, abs=0.05)


@pytest.mark.parametrize("sure", [0.1, 0.7])
async def test_a_short_hum_is_no_turn_whatever_the_recogniser_makes_of_it(sure: float):
    told = await Room([("Mom.", 0.3), ("", 2.0)], sure=[sure]).listen()
    assert kinds(told) == [Began, Dropped]
    assert texts(told, Partial) == []


async def test_a_short_word_is_a_turn():
    told = await Room([("no", 0.3), ("", 2.0)], sure=[0.9]).listen()
    assert texts(told, Ended) == ["no"]


async def test_a_short_sound_while_a_button_is_held_is_a_turn():
    room = Room([("", 0.2), ("no", 0.3), ("", 1.0)], sure=[0.1])
    room.at = [(0.1, Listener.hold), (0.8, Listener.force_end)]
    assert texts(await room.listen(), Ended) == ["no"]


async def test_coughs_take_no_turn_and_leave_the_next_alone():
    room = Room([("cough", 0.3), ("", 1.0), ("hello", 1.0), ("", 1.0)])
    room.words[0] = ""  # what the recogniser makes of it
    told = await room.listen()
    assert kinds(told) == [Began, Dropped, Began, Likely, Ended]
    assert texts(told, Ended) == ["hello"]


async def test_longer_sound_without_words_may_be_their_beginning():
    room = Room([("ask", 0.7), ("", 1.0), ("not what", 1.0), ("", 1.0)], sure=[0.1, 1.0])
    room.words[0] = ""
    told = await room.listen()
    assert kinds(told) == [Began, Likely, Ended]
    assert told[-1][1] == Ended(Transcript("not what", True, 0, 43_200, "en"))


async def test_words_come_while_somebody_speaks():
    words = [(f"w{n}", 0.5) for n in range(16)]
    told = await Room([*words, ("", 1.0)]).listen()
    partials = texts(told, Partial)
    assert len(partials) >= 4
    assert all("w0 w1" in text for text in partials)
    assert texts(told, Ended) == [" ".join(word for word, _ in words)]


async def test_a_newer_decoding_replaces_the_one_before():
    # Every pause is over before its decoding is; only the last one's comes to an end.
    script = [(word, seconds) for n in range(6) for word, seconds in ((f"w{n}", 0.3), ("", 0.1))]
    room = Room([*script, ("", 2.0)], takes=0.5)
    told = await room.listen()
    assert len(room.recognizer.asked) >= 6
    assert texts(told, Ended) == ["w0 w1 w2 w3 w4 w5"]


async def test_what_was_said_before_a_long_pause_is_not_decoded_again():
    script = [(f"w{n}", 3.0) if word else ("", 0.4) for n in range(6) for word in (True, False)]
    room = Room([*script, ("", 2.0)], sure=[0.0])
    told = await room.listen()
    assert max(room.recognizer.asked) < 11
    assert max(audio.seconds for audio in room.endpointer.heard) <= 8
    assert texts(told, Ended) == [" ".join(f"w{n}" for n in range(6))]


async def test_no_turn_lasts_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listening, "LONGEST", 4 * RATE)
    told = await Room([("on and on", 5), ("", 1.0)]).listen()
    assert kinds(told) == [Began, Likely, Ended]
    assert when(told, Ended) == pytest.approx(4.1, abs=0.1)


async def test_a_turn_may_be_ended_at_once():
    room = Room([("hello", 1.0), ("", 1.0)], sure=[0.0])
    room.at = [(0.5, Listener.force_end)]
    told = await room.listen()
    assert when(told, Ended) == pytest.approx(0.6, abs=0.05)
    assert told[-1][1] == Ended(Transcript("hello", True, 0, 8000, "en"))


async def test_ending_a_turn_in_its_pause_needs_no_new_decoding():
    room = Room([("hello", 0.8), ("", 1.0)], sure=[0.0])
    room.at = [(1.1, Listener.force_end), (1.2, Listener.force_end)]
    told = await room.listen()
    assert when(told, Ended) == pytest.approx(1.1, abs=0.05)
    assert len(room.recognizer.asked) == 1


async def test_without_a_turn_there_is_none_to_end():
    room = Room([("", 1.0)])
    room.at = [(0.5, Listener.force_end)]
    assert await room.listen() == []


async def test_while_a_button_is_held_no_silence_ends_the_turn():
    room = Room([("", 0.5), ("hello", 0.5), ("", 3.0), ("there", 0.5), ("", 1.0)])
    room.at = [(0.2, Listener.hold), (5.0, Listener.force_end)]
    told = await room.listen()
    assert kinds(told) == [Began, Likely, Ended]
    assert told[0] == (0.22, Began(3520))  # with no sound yet
    assert texts(told, Ended) == ["hello there"]
    assert when(told, Ended) == pytest.approx(5.0, abs=0.05)


async def test_a_button_held_in_silence_is_no_turn():
    room = Room([("", 2.0)])
    room.at = [(0.2, Listener.hold), (1.0, Listener.force_end)]
    assert kinds(await room.listen()) == [Began, Dropped]


async def test_the_end_of_the_sound_ends_the_turn():
    told = await Room([("hello", 1.0)], sure=[0.0]).listen()
    assert texts(told, Ended) == ["hello"]


async def test_languages_may_change():
    room = Room([("hello", 0.5), ("", 1.0), ("hola", 0.5), ("", 1.0)])
    room.at = [(1.2, lambda listener: listener.restrict(["es"]))]
    told = await room.listen()
    assert texts(told, Ended) == ["hello", "hola"]
    assert room.recognizer.languages == [("en",), ("es",)]


async def test_a_recogniser_that_fails_is_told_and_the_next_turn_is_heard():
    room = Room([("hello", 0.5), ("", 1.0), ("again", 0.5), ("", 1.0)])
    room.recognizer.fails = True

    def repair(_: Listener) -> None:
        room.recognizer.fails = False

    room.at = [(1.2, repair)]
    told = await room.listen()
    assert kinds(told) == [Began, Failed, Began, Likely, Ended]
    (failed,) = [cue for _, cue in told if isinstance(cue, Failed)]
    assert str(failed.error) == "recognizer: out of memory"
    assert texts(told, Ended) == ["again"]


async def test_an_endpointer_that_fails_is_told():
    room = Room([("hello", 0.5), ("", 1.0)])
    room.endpointer.fails = True
    told = await room.listen()
    assert kinds(told) == [Began, Failed]


async def test_a_detector_that_fails_ends_the_listening():
    class Broken:
        async def detect(
            self, audio: AsyncIterable[Audio]
        ) -> AsyncGenerator[SpeechStart | SpeechEnd]:
            async for chunk in audio:
                yield SpeechStart(chunk.start)
                raise EngineError("detector", "out of order")

        @asynccontextmanager
        async def open(self, **_: int | None) -> AsyncGenerator["Broken"]:
            yield self

    room = Room([("hello", 0.5)])
    room.detector = Broken()
    with pytest.raises(EngineError, match="out of order"):
        await room.listen()


class Heard(Echo):
    """An echo that is heard between two times."""

    def __init__(self, clock: Clock, start: float, end: float) -> None:
        super().__init__()
        self.clock, self.span = clock, (start, end)
        self.all = False

    @property
    def foreign_since(self) -> int | None:
        start, end = self.span
        if start <= self.clock.now < end:
            return None
        return round(end * RATE) if self.clock.now >= end else 0

    def explains(self, start: int, end: int) -> bool:
        return self.all


async def test_an_echo_begins_no_turn():
    room = Room([("", 0.2), ("my own words", 1.0), ("", 1.0), ("hello", 1.0), ("", 1.0)])
    room.echo = Heard(room.clock, 0, 1.5)
    told = await room.listen()
    assert kinds(told) == [Began, Likely, Ended]
    assert texts(told, Ended) == ["hello"]


async def test_who_speaks_into_the_echo_begins_where_it_stops_to_explain_the_sound():
    room = Room([("words", 2.0), ("", 1.0)])
    room.echo = Heard(room.clock, 0, 1.0)
    told = await room.listen()
    assert told[0] == (pytest.approx(1.02, abs=0.03), Began(16_000))
    assert kinds(told) == [Began, Likely, Ended]


async def test_what_proves_to_be_all_echo_is_dropped_before_it_is_decoded():
    room = Room([("words", 0.5), ("", 1.0)])
    room.echo = Heard(room.clock, 0, 0)
    room.echo.all = True
    told = await room.listen()
    assert kinds(told) == [Began, Dropped]
    assert when(told, Dropped) == pytest.approx(0.55, abs=0.03)
    assert room.recognizer.asked == []
