from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.bench.live_figures import figures, spread
from realtime_avatar.bench.live_film import Film
from realtime_avatar.bench.live_question import HOP
from realtime_avatar.bench.live_recording import FACE, Asked, Box, Recording, decode_face
from realtime_avatar.bench.live_skew import STEP, phrases, skews
from realtime_avatar.bench.live_turns import Heard, pictures, turns

REPLY = {"turn": 1, "heard": "Well,", "unheard": "I do not know.", "type": "finished"}


def told(turn: int, at: float, **stages: float) -> list[tuple[float, dict[str, Any]]]:
    words = {"type": "heard", "turn": turn, "text": "What?", "final": True, "language": "en"}
    return [
        (at, words),
        (at + 0.1, {"type": "timings", "turn": turn, "stages": stages}),
        (at + 1.0, REPLY | {"turn": turn}),
    ]


def recording(
    sounds: list[tuple[float, float]],
    asked: list[Asked],
    events: list[tuple[float, dict[str, Any]]] | None = None,
) -> Recording:
    """60 s in which something is heard in the given stretches; 25 pictures a second."""
    at = np.arange(0, 60, STEP)
    level = np.zeros(len(at), np.float32)
    for start, end in sounds:
        level[(at >= start) & (at < end)] = 0.1
    voice = np.repeat((level * 32767).astype(np.int16), HOP)
    return Recording(level, at, voice, np.arange(0, 60, 0.04), [], asked, events or [])


def question(first: float, last: float, *, over: bool = False, counted: bool = True) -> Asked:
    return Asked("a.wav", first, last, over, counted)


def one(heard: list[Heard]) -> Heard:
    assert len(heard) == 1
    return heard[0]


def test_the_clock_runs_from_the_last_speech_to_the_first_sound():
    asked = [question(10, 12)]
    turn = one(turns(recording([(12.7, 15)], asked, told(1, 12.3, playout=0.5))))
    assert turn.sound == pytest.approx(0.7, abs=STEP)
    assert turn.ended == pytest.approx(15, abs=STEP)
    assert not turn.early
    assert turn.silence is None
    assert turn.mouth is None
    assert turn.stages == {"playout": 0.5}
    assert (turn.text, turn.language) == ("What?", "en")
    assert turn.reply == "Well, I do not know."


def test_an_answer_that_halts_says_for_how_long():
    sounds = [(12.7, 15.0), (15.4, 16.0), (17.5, 18.0), (45.0, 46.0)]
    halting, other = turns(recording(sounds, [question(10, 12), question(40, 42)]))
    assert halting.halts == [pytest.approx(1.5, abs=3 * STEP)]
    assert other.halts == []


def test_what_warms_up_does_not_count():
    asked = [question(2, 4, counted=False), question(10, 12)]
    events = told(1, 4.3, playout=0.1) + told(2, 12.3, playout=0.2)
    turn = one(turns(recording([(4.7, 6), (12.7, 15)], asked, events)))
    assert turn.sound == pytest.approx(0.7, abs=STEP)
    assert turn.stages == {"playout": 0.2}


def test_an_answer_that_never_comes_is_none():
    asked = [question(10, 12), question(40, 42)]
    first, second = turns(recording([(43, 44)], asked, told(1, 42.5, playout=0.4)))
    assert first.sound is None
    assert first.stages == {}
    assert second.sound == pytest.approx(1, abs=STEP)


def test_an_answer_before_the_question_is_over_is_early():
    turn = one(turns(recording([(11, 11.5), (13, 15)], [question(10, 12)])))
    assert turn.early
    assert turn.sound == pytest.approx(1, abs=STEP)


def test_an_avatar_that_does_not_listen_has_no_first_sound():
    turn = one(turns(recording([(11, 15)], [question(10, 12)])))
    assert turn.early
    assert turn.sound is None


def test_an_interruption_is_measured_to_the_last_sound():
    asked = [question(2, 4, counted=False), question(10, 12, over=True)]
    turn = one(turns(recording([(5, 10.2), (13, 15)], asked)))
    assert turn.silence == pytest.approx(0.2, abs=2 * STEP)
    assert turn.sound == pytest.approx(1, abs=STEP)
    assert not turn.early


def test_one_that_goes_on_for_a_word_has_not_fallen_silent_before():
    asked = [question(10, 12, over=True)]
    turn = one(turns(recording([(8, 10.2), (10.9, 11.1), (13, 15)], asked)))
    assert turn.silence == pytest.approx(1.1, abs=2 * STEP)


def test_one_that_was_silent_already_took_no_time():
    turn = one(turns(recording([(8, 9.9), (13, 15)], [question(10, 12, over=True)])))
    assert turn.silence == 0


def test_one_that_talks_on_is_none():
    turn = one(turns(recording([(8, 15)], [question(10, 12, over=True)])))
    assert turn.silence is None
    assert figures([turn], [])["failures"]["talked_on"] == 1


def lips(*stretches: tuple[float, float]) -> NDArray[np.float32]:
    at = np.arange(0, 60, 0.04)
    opening = np.full(len(at), 0.001, np.float32)
    for start, end in stretches:
        inside = (at >= start) & (at < end)
        opening[inside] = 0.1
        opening[np.flatnonzero(inside)[0] - 1] = 0.01  # they part before they are open
    return opening


def test_the_mouth_is_seen_where_its_movement_begins():
    about = recording([(12.7, 15)], [question(10, 12)])
    turn = one(turns(about, lips((12.62, 15))))
    assert turn.mouth == pytest.approx(0.6, abs=0.041)


def test_a_twitch_is_no_speech_and_a_still_mouth_is_not_seen():
    about = recording([(12.7, 15)], [question(10, 12)])
    assert one(turns(about, lips((12.2, 12.24)))).mouth is None
    assert one(turns(about, lips())).mouth is None


def test_pictures_are_counted_from_the_first_question_on():
    about = recording([], [question(10, 12)])
    about.shown_at = np.concatenate([[0.0, 5.0], np.arange(10, 20, 0.04), [20.3, 20.34]])
    seen = pictures(about)
    assert seen["fps"] == pytest.approx(252 / 10.34, rel=0.01)
    assert seen["freezes"] == 1
    assert seen["longest"] == pytest.approx(0.34, abs=0.01)


def test_a_browser_counts_itself():
    about = recording([], [question(10, 12)])
    about.about["pictures"] = {"fps": 24.5, "freezes": 2.0, "longest": 0.4}
    assert pictures(about) == {"fps": 24.5, "freezes": 2.0, "longest": 0.4}


@pytest.fixture
def film() -> Film:
    """6 s: two phrases with syllables of changing length, and lips that follow them."""
    random = np.random.default_rng(3)
    at = np.arange(0, 6, STEP)
    level = np.zeros(len(at))
    for begin, end in ((0.2, 1.7), (2.3, 5.2)):
        edges = np.cumsum([begin, *random.uniform(0.08, 0.3, 40)])
        for start, stop in pairwise(edges[edges < end]):
            inside = (at >= start) & (at < stop - 0.03)
            level[inside] = random.uniform(0.05, 0.3)
    smooth = np.convolve(level, np.hanning(20) / np.hanning(20).sum(), "same")
    frames = np.arange(0, 6, 0.04)
    mouth = np.interp(frames, at, np.convolve(smooth, np.full(10, 0.1), "same")) * 0.5
    return Film(smooth.astype(np.float32), mouth.astype(np.float32))


def perceived(film: Film, start: float, late: float) -> tuple[Recording, NDArray[np.float32]]:
    """Return the film as it is received from `start` on, its pictures later than its sound."""
    about = recording([], [])
    about.sound = np.interp(
        about.sound_at - start, np.arange(len(film.sound)) * STEP, film.sound, 0, 0
    ).astype(np.float32)
    about.shown_at = about.shown_at + 0.013  # not on the film's grid
    mouth = np.interp(
        about.shown_at - start - late, np.arange(len(film.mouth)) / 25, film.mouth, 0, 0
    )
    return about, mouth.astype(np.float32)


def test_phrases_are_parted_by_pauses_and_not_too_long(film: Film):
    found = phrases(film.sound)
    assert len(found) == 3
    assert found[0] == pytest.approx((0.2, 1.7), abs=0.3)
    assert found[1][0] == pytest.approx(2.3, abs=0.1)
    assert found[1][1] == found[2][0]
    assert found[2][1] == pytest.approx(5.2, abs=0.3)
    assert phrases(np.zeros(1000)) == []


@pytest.mark.parametrize("late", [-0.06, 0.0, 0.035, 0.12])
def test_the_skew_of_every_phrase_is_found(film: Film, late: float):
    about, mouth = perceived(film, 20, late)
    found, lost = skews(film, about, mouth, 20.2, 25.3)
    assert lost == 0
    assert [phrase.skew for phrase in found] == pytest.approx([late] * 3, abs=0.008)
    assert found[0].at == pytest.approx(20.2, abs=0.1)


def test_what_was_cut_off_is_not_asked_for(film: Film):
    about, mouth = perceived(film, 20, 0.02)
    about.sound[about.sound_at > 22] = 0
    found, lost = skews(film, about, mouth, 20.2, 21.8)
    assert (len(found), lost) == (1, 0)


def test_what_is_another_answer_or_another_mouth_is_lost(film: Film):
    about, mouth = perceived(film, 20, 0.02)
    assert skews(film, about, mouth[::-1].copy(), 20.2, 25.3) == ([], 3)
    shuffled = replace(film, sound=film.sound[::-1].copy())
    found, lost = skews(shuffled, about, mouth, 20.2, 25.3)
    assert not found
    assert lost > 0


def test_unknown_pictures_are_passed_over(film: Film):
    about, mouth = perceived(film, 20, 0.02)
    mouth[::7] = np.nan
    found, _ = skews(film, about, mouth, 20.2, 25.3)
    assert [phrase.skew for phrase in found] == pytest.approx([0.02] * 3, abs=0.02)


def test_a_spread_tells_its_percentiles():
    assert spread([]) is None
    found = spread(number / 100 for number in range(101))
    assert found == pytest.approx({"p50": 0.5, "p95": 0.95, "p99": 0.99, "worst": 1, "count": 101})


def test_figures_take_the_size_of_skews_and_the_rest_of_the_way():
    turn = Heard("a", False, sound=0.9, stages={"playout": 0.6, "chat": 0.2}, skews=[-0.03, 0.01])
    found = figures([turn], [{"fps": 25, "freezes": 1, "longest": 0.3}] * 2)
    assert found["seconds"]["skew"]["worst"] == pytest.approx(0.03)
    assert found["stages"]["delivery"]["p50"] == pytest.approx(0.3)
    assert found["stages"]["voice"] is None
    assert found["seconds"]["silence"] is None
    assert found["pictures"] == {"fps": 25, "freezes": 2, "longest": 0.3}
    assert found["turns"][0]["question"] == "a"


def test_a_recording_survives_its_file(tmp_path: Path):
    about = recording([(1, 2)], [question(3, 4, over=True)], told(1, 5, playout=0.3))
    grey = np.tile(np.arange(240, dtype=np.uint8), (300, 1))
    about.faces = [Box(20, 30, 200).cut(grey), Box(0, 0, 100).cut(grey)]
    about.about["stats"] = {"fps": 25}
    about.save(tmp_path)
    read = Recording.load(tmp_path)
    assert np.array_equal(read.sound, about.sound)
    assert np.array_equal(read.shown_at, about.shown_at)
    assert (read.faces, read.asked, read.about) == (about.faces, about.asked, about.about)
    assert read.events == about.events
    face = decode_face(read.faces[0])
    assert face.shape == (FACE, FACE, 3)
    assert face[0, 0, 0] == pytest.approx(20, abs=3)
    assert face[-1, -1, 0] == pytest.approx(219, abs=3)
