"""Where an utterance may be cut into parts that are heard while the next is computed."""

from collections.abc import Sequence
from typing import Final

REACH: Final = 4
"""Frames of 25 ms around a part that are computed with it, as it sounds otherwise without them."""

_FEWEST: Final = 28
"""Frames of a part, of which the first has some of silence: a shorter one costs too much more."""
_SPARE: Final = 0.65
"""Of the time in which sound is heard, what computing the next part may take."""
_LEAST: Final = 0.33
"""A factor below is not relied upon: another's work may begin at any moment."""


def cuts(starts: Sequence[int], length: int, factor: float, ahead: float = 0.0) -> list[int]:
    """Return the words with which a new part begins, so that none is late.

    The first part is the shortest after which each is ready in time; if there is sound ahead of
    it, it is as long as that leaves time for, as every other part is.

    Args:
        starts: The frame in which each word begins.
        length: Frames of the utterance.
        factor: The time that computing takes, of the time that is heard.
        ahead: Frames that are still to be heard before it.
    """
    factor = max(factor, _LEAST)
    words = [at for at, start in enumerate(starts) if start <= length - _FEWEST // 2]
    ends = [*(starts[word] for word in words), length]
    silence = starts[0] if starts else 0  # is not heard
    if ahead:
        found = _plan(ends, 0, ahead, factor)
        if found is not None:
            return [words[at] for at in found]
    for first, end in enumerate(ends[:-1]):
        if end >= _FEWEST:
            found = _plan(ends, end, end - silence, factor)
            if found is not None:
                return [words[at] for at in (first, *found)]
    return []


def _plan(ends: Sequence[int], last: int, heard: float, factor: float) -> list[int] | None:
    """Return which ends come next, each as late as it may be ready in time; None if one cannot.

    Args:
        ends: The frames in which a part may end.
        last: The frame in which the one before ended.
        heard: Frames of sound that were computed and are still to be heard.
        factor: The time that computing takes, of the time that is heard.
    """
    found = list[int]()
    while True:
        longest = heard * _SPARE / factor - 2 * REACH
        late = [at for at, end in enumerate(ends) if _FEWEST <= end - last <= longest]
        if ends[-1] - last <= longest:
            return found
        if not late:
            return None
        at = late[-1]
        heard += (ends[at] - last) - (ends[at] - last + 2 * REACH) * factor
        last = ends[at]
        found.append(at)
