from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from realtime_avatar.voice.norm_statistics import KeptStatistics, Statistics
from realtime_avatar.voice.parts import REACH, cuts

WORDS = list(range(9, 200, 8))  # frames


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (0.05, [33, 65, 137]),
        (0.35, [33, 65, 129]),
        (0.6, [49, 81, 121, 177]),  # slow: the first is longer, so that each is ready in time
        (1.5, [137, 177]),
    ],
)
def test_no_part_is_longer_than_the_one_before_it_leaves_time_for(
    factor: float, expected: list[int]
) -> None:
    assert [WORDS[word] for word in cuts(WORDS, 200, factor)] == expected


@pytest.mark.parametrize("factor", [0.2, 0.35, 0.45, 0.6, 1.0])
@pytest.mark.parametrize(
    ("words", "length"),
    [
        (WORDS, 200),
        ([9, 13, 27, 36, 78, 90], 117),  # an amount of money is one long word
        ([12, 25, 28, 32, 41, 63, 71], 85),
    ],
)
def test_each_part_is_ready_a_while_before_the_one_before_it_has_been_heard(
    words: list[int], length: int, factor: float
) -> None:
    bounds = [*(words[word] for word in cuts(words, length, factor)), length]
    ready, played = 0.0, float(bounds[0] - words[0])  # what is heard does not begin with silence
    for start, end in pairwise(bounds):
        ready += (end - start + 2 * REACH) * factor
        assert played - ready >= 7  # frames, 175 ms
        played += end - start


def test_what_is_still_to_be_heard_leaves_time_for_a_longer_part() -> None:
    assert [WORDS[word] for word in cuts(WORDS, 200, 0.35, ahead=50)] == [81]
    assert cuts(WORDS, 200, 0.35, ahead=120) == []


def test_a_short_utterance_is_one_part() -> None:
    assert cuts(WORDS[:4], 45, 0.3) == []
    assert cuts([], 0, 0.3) == []


def voice(seed: int) -> Statistics:
    rng = np.random.default_rng(seed)

    def some() -> np.ndarray:
        return rng.normal(size=3).astype(np.float32)

    return {"one": [(some(), some()), (some(), some())], "two": [(some(), some())]}


def test_statistics_are_kept_for_one_model_and_one_voice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = tmp_path / "model.onnx"
    model.write_bytes(b"weights")
    KeptStatistics(model).keep("ann", voice(1))

    def restored(name: str) -> Statistics | None:
        room: Statistics = {"one": [], "two": []}
        return room if KeptStatistics(model).restore(name, room) else None

    found = restored("ann")
    assert found
    for name, passes in voice(1).items():
        assert np.array_equal(np.array(found[name]), np.array(passes))
    assert restored("bob") is None
    (file,) = (tmp_path / "cache").rglob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    assert restored("ann") is None  # torn: measured again
    KeptStatistics(model).keep("ann", voice(1))
    assert restored("ann")
    model.write_bytes(b"other weights")
    assert restored("ann") is None
