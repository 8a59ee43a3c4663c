from typing import Any

import numpy as np
import pytest

from realtime_avatar.hearing.pieces import LONGEST, MARGIN, Cutter, Piece
from realtime_avatar.hearing.silero import SpeechProbability
from realtime_avatar.media import Audio
from streams import in_chunks

R = 16000


class Loudness:
    """Stands in for Silero: what is loud is speech."""

    def run(self, _: None, given: dict[str, Any]) -> tuple[Any, Any, Any]:
        loud = np.abs(given["input"][:, 64:]).mean(axis=1) > 0.05
        return loud.astype(np.float32), given["h"], given["c"]


def noise(seconds: float, level: float = 0.5, rate: int = R) -> Audio:
    rng = np.random.default_rng(7)
    pcm = rng.uniform(-32767 * level, 32767 * level, round(seconds * rate))
    return Audio(pcm.astype(np.int16), rate, 0)


def sequence(*parts: tuple[float, float], rate: int = R, start: int = 0) -> Audio:
    """Return stretches of (seconds, level)."""
    pcm = [noise(seconds, level, rate).pcm for seconds, level in parts]
    return Audio(np.concatenate(pcm), rate, start)


def cut(audio: Audio, chunk: int = 1600) -> list[Piece]:
    cutter = Cutter(SpeechProbability(Loudness()), audio.rate, audio.start)
    pieces = [piece for part in in_chunks(audio, chunk) for piece in cutter.push(part)]
    return pieces + cutter.flush()


def test_silence_gives_nothing() -> None:
    assert cut(sequence((5, 0))) == []
    assert Cutter(SpeechProbability(Loudness()), R, 0).flush() == []


@pytest.mark.parametrize("chunk", [100, 1600, 1_000_000])
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_long_pauses_cut_and_short_ones_do_not(chunk: int, rate: int) -> None:
    audio = sequence((1, 0), (2, 0.5), (1, 0), (1, 0.5), (4, 0), (1, 0.5), rate=rate, start=rate)
    pieces = cut(audio, chunk)
    spans = [(piece.start / rate, piece.end / rate) for piece in pieces]
    assert np.allclose(spans, [(2, 6), (10, 11)], atol=0.04)
    assert [len(piece.samples) / R for piece in pieces] == pytest.approx([4.6, 1.3], abs=0.1)


def test_a_piece_has_a_margin_of_what_is_around() -> None:
    audio = sequence((1, 0.01), (2, 0.5), (3, 0.01))
    (piece,) = cut(audio)
    wanted = audio.float32()[piece.start - MARGIN : piece.end + MARGIN]
    assert np.array_equal(piece.samples, wanted)


def test_endless_speech_is_cut_where_it_is_quietest() -> None:
    audio = sequence((20, 0.5), (0.3, 0.15), (40, 0.5))
    first, *rest = cut(audio)
    assert first.end / R == pytest.approx(20.15, abs=0.1)
    everything = np.concatenate([piece.samples for piece in (first, *rest)])
    assert np.array_equal(everything, audio.float32())  # nothing lost, nothing twice
    assert all(piece.end - piece.start <= LONGEST + 512 for piece in (first, *rest))


def test_little_is_held_however_long_it_is() -> None:
    cutter = Cutter(SpeechProbability(Loudness()), R, 0)
    held = 0
    for part in in_chunks(sequence((90, 0.5), (60, 0), (5, 0.5)), R):
        cutter.push(part)
        held = max(held, len(cutter._held))
    assert held <= LONGEST + 2 * R


def test_a_peek_in_a_pause_is_the_piece_to_come() -> None:
    cutter = Cutter(SpeechProbability(Loudness()), R, 0)
    peeks: list[Piece | None] = []
    for part in in_chunks(sequence((1, 0), (1, 0.5), (1, 0)), 1600):
        assert cutter.push(part) == []
        peeks.append(cutter.peek())
    assert peeks[:22] == [None] * 22  # not in speech, and not as soon as it stops
    (piece,) = cutter.flush()
    assert peeks[-1] is not None
    assert (peeks[-1].start, peeks[-1].end) == (piece.start, piece.end)
    assert np.array_equal(peeks[-1].samples, piece.samples)
