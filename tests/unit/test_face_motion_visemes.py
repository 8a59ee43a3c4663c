import numpy as np
import pytest

from realtime_avatar.face.visemes import (
    ARTICULATIONS,
    LATELY,
    articulate,
    parted,
    shape,
    visemes,
)
from realtime_avatar.media import Phoneme
from realtime_avatar.media.motion import ARKIT, INDEX
from realtime_avatar.voice.phonemes import IPA, MARKS, PAUSES, STRESSES, vocabulary


def at(name: str, lips: np.ndarray) -> np.ndarray:
    return lips[:, ARTICULATIONS.index(name)]


def test_every_sound_of_the_voices_is_known():
    unknown = {
        symbol
        for symbol in vocabulary()
        if symbol not in f"{PAUSES}{STRESSES}{MARKS}↓" and not visemes(IPA.get(symbol, symbol))
    }
    # Letters of misaki's alphabet that English, Spanish and Chinese do not use.
    assert unknown <= set("Sᵝɰɴɽç")


@pytest.mark.parametrize(
    ("symbol", "count"), [("oʊ", 2), ("tʃ", 2), ("O", 2), ("ˈɑː", 1), ("m", 1), (".", 0), (" ", 0)]
)
def test_a_symbol_is_as_many_sounds_as_it_spells(symbol: str, count: int):
    assert len(visemes(symbol)) == count


def test_closures_are_reached_between_vowels():
    sounds = [Phoneme("ɑ", 0, 1600), Phoneme("p", 1600, 2400), Phoneme("ɑ", 2400, 4000)]
    lips = articulate(sounds, 16_000, np.arange(0, 0.25, 0.01))
    assert at("closed", lips)[10:15].min() > 0.8
    assert at("closed", lips)[[5, 20]].max() < 0.05


def test_rounding_begins_before_its_sound_and_spreading_gives_way():
    sounds = [Phoneme("i", 0, 3200), Phoneme("s", 3200, 4800), Phoneme("u", 4800, 8000)]
    lips = articulate(sounds, 16_000, np.arange(0, 0.5, 0.01))
    rounded = at("rounded", lips)
    assert rounded[27] > 0.1
    assert rounded[40] > 0.8
    assert at("spread", lips)[10] > 0.7
    assert at("spread", lips)[42] < 0.1


def test_nothing_said_asks_for_nothing():
    assert not articulate([], 16_000, np.arange(3.0)).any()
    pause = [Phoneme(",", 0, 16_000)]
    assert not articulate(pause, 16_000, np.arange(3.0)).any()


def test_shapes_close_tuck_and_round():
    open_mouth = np.zeros((3, len(ARKIT)), np.float32)
    open_mouth[:, INDEX["jawOpen"]] = 0.3
    lips = np.zeros((3, len(ARTICULATIONS)), np.float32)
    for row, name in enumerate(("closed", "tucked", "rounded")):
        lips[row, ARTICULATIONS.index(name)] = 1
    closed, tucked, rounded = shape(open_mouth, lips)
    assert closed[INDEX["mouthClose"]] == pytest.approx(closed[INDEX["jawOpen"]])
    assert closed[INDEX["jawOpen"]] < 0.2
    assert tucked[INDEX["mouthRollLower"]] > 0.4
    assert rounded[INDEX["mouthPucker"]] > 0.5


def test_u_leaves_a_small_hole_and_o_a_large_one():
    spread_and_open = np.zeros((2, len(ARKIT)), np.float32)
    for name, value in (("jawOpen", 0.3), ("mouthClose", 0.3), ("mouthStretchLeft", 0.2)):
        spread_and_open[:, INDEX[name]] = value
    lips = np.zeros((2, len(ARTICULATIONS)), np.float32)
    lips[:, ARTICULATIONS.index("rounded")] = 1
    lips[1, ARTICULATIONS.index("open")] = 1
    u, o = shape(spread_and_open, lips)
    jaw, close = INDEX["jawOpen"], INDEX["mouthClose"]
    assert 0.1 < u[jaw] < 0.8 * o[jaw]
    assert 0.05 < u[jaw] - u[close] < 0.6 * u[jaw] + 1e-6
    assert u[INDEX["mouthStretchLeft"]] == 0


def test_a_closure_ends_when_it_begins_to_fade():
    heard = np.array([0, 0, 0.16, 0.4, 0.6, 0.8, 0.88, 0.75, 0.67, 0.4, 0.2, 0], np.float32)
    closed = parted(np.pad(heard, (LATELY, 0)))
    np.testing.assert_array_equal(closed[:8], np.maximum(heard[:8], np.pad(heard, (1, 0))[:8]))
    assert not closed[9:].any()


def test_a_weak_closure_counts_whichever_output_tells_it():
    heard = np.array([0, 0, 0.6, 0.15, 0, 0, 0.15, 0.6, 0, 0], np.float32)
    closed = parted(np.pad(heard, (LATELY, 0)))
    at_25_fps = closed[1::2]
    assert at_25_fps[1] == pytest.approx(0.6)
    assert at_25_fps[3] == pytest.approx(0.6)


def test_the_same_closures_however_many_outputs_at_once():
    heard = np.random.default_rng(0).random(40).astype(np.float32)
    whole = parted(np.pad(heard, (LATELY, 0)))
    lately, parts = np.zeros(LATELY, np.float32), []
    for some in np.split(heard, [1, 4, 5, 20, 20]):
        both = np.concatenate([lately, some])
        parts.append(parted(both))
        lately = both[len(some) :]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
