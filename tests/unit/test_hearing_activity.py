from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from realtime_avatar.engines.ports import SpeechEnd, SpeechStart
from realtime_avatar.hearing.activity import WINDOW, Activity, Limits

W = WINDOW
LIMITS = Limits(start=0.5, end=0.35, min_speech=3 * W, min_silence=5 * W, padding=0)


def events(
    figures: list[float], limits: Limits = LIMITS, origin: int = 0
) -> list[tuple[int, SpeechStart | SpeechEnd]]:
    """Return what is told, and after how many windows."""
    activity = Activity(limits, origin)
    told = [(n, activity.push(figure)) for n, figure in enumerate(figures, 1)]
    told.append((len(figures), activity.finish(origin + len(figures) * W)))
    return [(n, event) for n, event in told if event]


def test_start_and_end_are_dated_back() -> None:
    assert events([0.1] * 4 + [0.9] * 6 + [0.1] * 8) == [
        (7, SpeechStart(4 * W)),
        (15, SpeechEnd(10 * W)),
    ]


def test_a_stream_may_begin_anywhere() -> None:
    assert [event for _, event in events([0.9] * 4 + [0.1] * 5, origin=1000)] == [
        SpeechStart(1000),
        SpeechEnd(1000 + 4 * W),
    ]


def test_a_short_burst_is_no_speech() -> None:
    assert events([0.9, 0.9] + [0.1] * 3 + [0.9, 0.9] + [0.1] * 9) == []


def test_a_short_pause_does_not_end_speech() -> None:
    figures = [0.9] * 4 + [0.1] * 4 + [0.9] * 4 + [0.1] * 5
    assert [event for _, event in events(figures)] == [SpeechStart(0), SpeechEnd(12 * W)]


def test_between_the_thresholds_nothing_changes() -> None:
    assert events([0.4] * 20) == []
    # Speech that gets fainter goes on; a pause that gets louder goes on, too.
    assert events([0.9] * 4 + [0.4] * 20)[-1] == (24, SpeechEnd(24 * W))
    assert events([0.9] * 4 + [0.1] + [0.4] * 20)[-1] == (9, SpeechEnd(4 * W))


def test_speech_ends_with_the_stream() -> None:
    assert events([0.9] * 4)[-1] == (4, SpeechEnd(4 * W))
    assert events([0.9] * 4 + [0.1] * 2)[-1] == (6, SpeechEnd(4 * W))


def test_padding_stays_within_the_stream() -> None:
    limits = Limits(min_speech=W, min_silence=5 * W, padding=2 * W)
    figures = [0.1] * 3 + [0.9] * 2 + [0.1] * 6 + [0.9]
    assert [event for _, event in events(figures, limits)] == [
        SpeechStart(1 * W),
        SpeechEnd(7 * W),
        SpeechStart(9 * W),
        SpeechEnd(12 * W),
    ]
    assert events([0.9], limits)[0][1] == SpeechStart(0)


def test_padding_does_not_reach_into_the_speech_before() -> None:
    limits = Limits(min_speech=W, min_silence=2 * W, padding=2 * W)
    told = [event.at for _, event in events([0.9, 0.1, 0.1, 0.9, 0.1, 0.1], limits)]
    assert told == [0, 3 * W, 3 * W, 6 * W]


@given(
    some.lists(some.floats(0, 1), max_size=80),
    some.integers(1, 6),
    some.integers(1, 6),
    some.integers(0, 6 * W),
)
def test_starts_and_ends_alternate_in_time(
    figures: list[float], speech: int, silence: int, padding: int
) -> None:
    limits = Limits(min_speech=speech * W, min_silence=silence * W, padding=padding)
    activity, keep = Activity(limits), 0
    told: list[SpeechStart | SpeechEnd] = []
    for figure in figures:
        before = activity.keep
        assert before >= keep
        keep = before
        if event := activity.push(figure):
            assert event.at >= keep
            told.append(event)
    if last := activity.finish(len(figures) * W):
        told.append(last)
    assert [type(event) for event in told] == [SpeechStart, SpeechEnd] * (len(told) // 2)
    assert all(a.at <= b.at for a, b in pairwise(told))
    assert all(0 <= event.at <= len(figures) * W for event in told)
