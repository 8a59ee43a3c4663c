from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.face.continuity import Continuity

Floats = NDArray[np.float32]


def shown(continuity: Continuity, values: list[float], *, said: bool) -> list[float]:
    made: list[float] = []
    for value in values:
        row = continuity.join(np.array([value], np.float32), said=said)
        continuity.keep(row, said=said)
        made.append(float(row[0]))
    return made


def test_an_unbroken_stream_is_left_as_it_is():
    rows = [0.0, 0.5, 0.2, 0.9]
    assert shown(Continuity(25), rows, said=True) == pytest.approx(rows)


@pytest.mark.parametrize("fps", [25, 30, 50])
def test_a_change_of_stream_fades_in_over_a_quarter_of_a_second(fps: int):
    continuity = Continuity(fps)
    shown(continuity, [1.0] * 5, said=True)
    after = shown(continuity, [0.0] * fps, said=False)
    assert after[0] > 0.9
    assert sorted(after, reverse=True) == after
    assert -min(np.diff([1.0, *after])) < 1.6 / (0.25 * fps)
    assert after[fps // 4 + 1] == 0


def seven(continuity: Continuity, value: float, *, said: bool) -> list[Floats]:
    rows: list[Floats] = []
    for _ in range(7):
        rows.append(continuity.join(np.full(2, value, np.float32), said=said))
        continuity.keep(rows[-1], said=said)
    return rows


def test_lips_are_where_speech_wants_them_sooner_than_the_head_is():
    continuity = Continuity(25, lips=[0])
    continuity.follow(np.zeros(2, np.float32))
    spoken = seven(continuity, 1, said=True)
    assert 0.05 < spoken[0][0] < 0.5
    assert spoken[2][0] == pytest.approx(1)
    assert spoken[2][1] < 0.5
    assert spoken[6][1] == pytest.approx(1)
    after = seven(continuity, 0, said=False)  # lips that close have time
    assert all(lips == pytest.approx(head, abs=1e-5) for lips, head in after)


def test_lips_leave_the_life_between_at_once():
    continuity = Continuity(25, lips=[0])
    seven(continuity, 0, said=False)
    spoken = seven(continuity, 0.1, said=True)
    assert [lips for lips, _ in spoken] == pytest.approx([0.1] * 7)
    assert spoken[0][1] < 0.02


def test_lips_that_were_still_closing_open_without_a_jump():
    continuity = Continuity(25, lips=[0])
    seven(continuity, 1, said=True)
    closing = continuity.join(np.zeros(2, np.float32), said=False)
    continuity.keep(closing, said=False)
    opening = continuity.join(np.zeros(2, np.float32), said=True)
    assert closing[0] > opening[0] > 0.5


def test_what_was_never_seen_is_not_gone_on_from():
    continuity = Continuity(50)
    shown(continuity, [0.0, 0.1, 0.2, 0.6, 1.0], said=True)
    continuity.take_back(2)
    assert shown(continuity, [1.0], said=True)[0] == pytest.approx(0.2, abs=0.03)


def test_what_lives_between_is_never_taken_back():
    continuity = Continuity(50)
    shown(continuity, [1.0] * 3, said=True)
    last = shown(continuity, [0.0] * 3, said=False)[-1]
    continuity.take_back(9)
    assert shown(continuity, [0.5], said=True)[0] == pytest.approx(last, abs=0.03)


def test_more_than_is_remembered_may_be_taken_back():
    continuity = Continuity(25)
    continuity.take_back(3)
    shown(continuity, [0.3], said=True)
    continuity.take_back(99)
    assert shown(continuity, [0.0], said=True)[0] == pytest.approx(0.3, abs=0.05)


def test_what_was_shown_elsewhere_is_gone_on_from():
    continuity, row = Continuity(25), np.zeros(3, np.float32)
    assert continuity.shown is None
    continuity.follow(np.ones(3, np.float32))
    rows: list[np.ndarray] = []
    for _ in range(8):
        rows.append(continuity.join(row, said=False))
        continuity.keep(rows[-1], said=False)
    assert rows[0].min() > 0.9
    assert all((later <= earlier).all() for earlier, later in pairwise(rows))
    assert not rows[-1].any()
    assert continuity.shown is rows[-1]
