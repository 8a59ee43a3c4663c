from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import anyio
import numpy as np
import pytest

from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from realtime_avatar.voice.clauses import Clause, Pace
from realtime_avatar.voice.delivery import FRAME, RATE
from realtime_avatar.voice.reading import Reader, Utterance
from realtime_avatar.voice.speech import Part, Say, Session
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio

TEXT = "Penguins live in the southern parts of the wide world where it is cold. They swim."
WORD = 12  # frames of 25 ms that a word takes


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


class Spelling:
    """Reads a word as one symbol."""

    def __init__(self) -> None:
        self.read_until: list[int] = []  # words of what was read

    def read(self, clause: Clause) -> list[Utterance]:
        words = clause.text.split()
        self.read_until.append(len(words))
        pieces = tuple((word + " ", at) for at, word in enumerate(words))
        return [Utterance("a" * len(words), pieces, clause.ending)]


async def say(utterance: Utterance, _ahead: float) -> AsyncGenerator[Part]:
    durations = np.full(len(utterance.symbols) + 2, WORD, np.int64)
    time = np.arange(int(durations.sum()) * FRAME) / RATE
    yield Part((0.2 * np.sin(2 * np.pi * 150 * time)).astype(np.float32), durations)


async def test_a_beginning_that_makes_no_sound_is_not_said_twice() -> None:
    class Silent(Spelling):
        def read(self, clause: Clause) -> list[Utterance]:
            return super().read(clause) if clause.text.startswith("They") else []

    async def text() -> AsyncGenerator[str]:
        for word in TEXT.split():
            yield word + " "
            await anyio.sleep(0.06)

    session = Session(cast("Reader", Silent()), say, Pace(eager=8), 0.1)
    audio = join([chunk async for chunk in session.speak(text())])
    assert audio.text.split() == TEXT.split()


async def spoken(word_every: float, eager: int = 8) -> tuple[float, float, list[int], Audio]:
    """Return when the first sound came, the longest wait for more of it, and what was read."""

    async def text() -> AsyncGenerator[str]:
        for word in TEXT.split():
            yield word + " "
            await anyio.sleep(word_every)

    reader, chunks, first, short = Spelling(), list[Audio](), 0.0, 0.0
    session = Session(cast("Reader", reader), say, Pace(hurry=70, later=100, eager=eager), 0.1)
    begun, given = anyio.current_time(), 0.0
    async for chunk in session.speak(text()):
        now = anyio.current_time()
        first = first or now - begun
        short = max(short, now - begun - first - given)
        given += chunk.seconds
        chunks.append(chunk)
    return first, short, reader.read_until, join(chunks)


async def test_a_text_that_comes_fast_is_begun_with_before_its_first_clause_is_whole() -> None:
    whole, _, _, _ = await spoken(0.06, eager=0)
    first, short, read, audio = await spoken(0.06)
    assert whole > 0.5
    assert first == pytest.approx(0.18)  # with two words known beyond the first
    assert short == 0  # what was given lasts until there is more
    assert read == [3, 6, 10, 4, 2]  # two beginnings, and not one for every word; clauses
    assert audio.text.split() == TEXT.split()


async def test_a_text_that_comes_slowly_is_said_by_whole_clauses() -> None:
    slow, plain = await spoken(0.3), await spoken(0.3, eager=0)
    assert slow[:3] == plain[:3]


async def test_an_utterance_is_heard_as_far_as_it_is_known_and_nothing_twice() -> None:
    told = list[float]()

    async def in_parts(utterance: Utterance, ahead: float) -> AsyncGenerator[Part]:
        told.append(ahead)
        async with aclosing(say(utterance, ahead)) as whole:
            (part,) = [part async for part in whole]
        # Words of 12 frames after a silence of 12: six whole words are in 84 frames.
        if len(utterance.pieces) > 6:
            await anyio.sleep(0.2)
            yield Part(part.wave[: 84 * FRAME], part.durations, 6)
            await anyio.sleep(0.5)
        yield part

    async def text() -> AsyncGenerator[str]:
        yield TEXT

    async def heard(say: Say) -> tuple[list[float], Audio]:
        session = Session(cast("Reader", Spelling()), say, Pace(hurry=200), 0.2 / 2**0.5)
        times, chunks = list[float](), list[Audio]()
        begun = anyio.current_time()
        async for chunk in session.speak(text()):
            times.append(anyio.current_time() - begun)
            chunks.append(chunk)
        return times, join(chunks)

    times, parts = await heard(in_parts)
    _, whole = await heard(say)
    assert times[0] == pytest.approx(0.2)
    assert times[-1] == pytest.approx(0.7)
    assert parts.text == whole.text == TEXT + " "
    assert parts.samples == whole.samples
    assert np.abs(parts.pcm.astype(int) - whole.pcm).max() < 50
    assert [one.start for one in parts.phonemes] == [one.start for one in whole.phonemes]
    assert told[0] == 0
    assert 0 < told[1] < whole.seconds - 0.5  # that is still to be heard of the sentence before
