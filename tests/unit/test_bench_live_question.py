from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.bench.live import bundled_questions
from realtime_avatar.bench.live_plan import Plan
from realtime_avatar.bench.live_question import (
    HOP,
    RATE,
    levels,
    read_question,
    room,
    speech_bounds,
)
from realtime_avatar.bench.live_script import LEAD, OVER, SLOT, find_lines, script
from realtime_avatar.errors import EngineError, InputError


def tone(seconds: float, level: float = 0.3) -> NDArray[np.int16]:
    at = np.arange(round(seconds * RATE))
    return (level * 32767 * np.sin(at * 2 * np.pi * 200 / RATE)).astype(np.int16)


@pytest.mark.parametrize("noise", [-90.0, -60.0, -50.0])
def test_speech_is_found_to_the_sample_in_any_room(noise: float):
    sound = np.concatenate([np.zeros(RATE), tone(1.5), np.zeros(RATE // 2)]).astype(np.float64)
    hiss = np.random.default_rng(1).standard_normal(len(sound)) * 32767 * 10 ** (noise / 20)
    first, last = speech_bounds(np.clip(sound + hiss, -32768, 32767).astype(np.int16))
    assert first == pytest.approx(RATE, abs=4 * HOP)
    assert last == pytest.approx(2.5 * RATE, abs=4 * HOP)


def test_a_pause_does_not_end_speech_but_a_click_does_not_prolong_it():
    sound = np.concatenate([tone(1), np.zeros(RATE), tone(1), np.zeros(RATE)]).astype(np.int16)
    sound[-RATE // 2] = 3000
    first, last = speech_bounds(sound)
    assert first < 4 * HOP
    assert last == pytest.approx(3 * RATE, abs=4 * HOP)


@pytest.mark.parametrize("path", bundled_questions(), ids=lambda path: path.name)
def test_bundled_questions_end_with_their_speech(path: Path):
    question = read_question(path)
    after = levels(question.pcm[question.last + 1 :])
    during = levels(question.pcm[question.first : question.last])
    assert after.max() < 0.05 * during.max()
    assert after[-1] < 1e-3, "it fades out"
    assert 1 < (question.last - question.first) / RATE < 5


def test_what_is_no_question_is_an_error_in_words(tmp_path: Path):
    (tmp_path / "note.wav").write_text("hello")
    with pytest.raises(InputError, match=r"note\.wav"):
        read_question(tmp_path / "note.wav")


def test_a_room_is_quiet_and_always_the_same():
    assert np.array_equal(room(RATE, 1), room(RATE, 1))
    assert not np.array_equal(room(RATE, 1), room(RATE, 2))
    assert 0 < levels(room(RATE)).mean() < 10 ** (-65 / 20)


def test_a_plan_warms_up_and_interrupts_now_and_then(tmp_path: Path):
    plan = Plan("http://127.0.0.1:1", ("a.wav",), turns=8, warm=1, every=4)
    assert [number for number in range(9) if plan.interrupts(number)] == [4, 8]
    assert not any(Plan("", (), 8, every=0).interrupts(number) for number in range(9))
    plan.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == plan


@pytest.fixture
def plan() -> Plan:
    return Plan("", tuple(map(str, bundled_questions())), turns=4)


def test_a_script_leaves_room_for_answers_and_interrupts_one(plan: Plan):
    said = script(plan)
    assert said.lines[0].first > LEAD
    assert [line.counted for line in said.lines] == [False, True, True, True, True]
    waits = [
        after.first - line.last for line, after in zip(said.lines, said.lines[1:], strict=False)
    ]
    assert waits[:3] == pytest.approx([SLOT] * 3, abs=0.5)
    assert waits[3] == pytest.approx(OVER, abs=0.5)
    for line in said.lines:
        spoken = said.pcm[round(line.first * RATE) : round(line.last * RATE)]
        assert levels(spoken).mean() > 0.01


def test_lines_are_found_again_late_louder_and_each_with_its_own_delay(plan: Plan):
    said = script(plan)
    third = round((said.lines[2].first - 2) * RATE)
    heard = np.concatenate([room(RATE), said.pcm[:third], said.pcm[third + RATE // 10 :]])
    shifts = find_lines(said, levels(np.clip(heard * 1.5, -32768, 32767).astype(np.int16)))
    assert shifts == pytest.approx([1.0, 1.0, 0.9, 0.9, 0.9], abs=0.011)


def test_a_line_that_got_lost_is_as_late_as_the_others(plan: Plan):
    said = script(plan)
    heard = np.concatenate([room(RATE // 2), said.pcm])
    heard[round((said.lines[3].first + 0.5) * RATE) : round((said.lines[3].last + 1) * RATE)] = 0
    assert find_lines(said, levels(heard)) == pytest.approx([0.5] * 5, abs=0.011)


def test_another_sound_is_an_error(plan: Plan):
    with pytest.raises(EngineError, match="microphone"):
        find_lines(script(plan), levels(room(60 * RATE, 5)))
