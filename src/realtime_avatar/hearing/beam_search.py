"""The most probable text of a piece, by Whisper's rules for tokens.

A beam search: of all continuations of a few hypotheses, as many are followed as there were. It
ends when no hypothesis that is followed is more probable than the best that has ended: with each
token it can only become less so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.hearing.text_decoder import Floats, Memory, Sound

LATEST: Final = 50
"""Timestamps from 0 s that a text may begin with: one second."""
SPOKEN: Final = 0.3
"""Probability that nobody speaks below which a text says something. No text at all is one of two
tokens, so that it is more probable as a whole than a long sentence that is heard unsurely."""

_NEVER: Final = np.float32(-np.inf)
_GRAM: Final = 3  # tokens that do not come twice, if repeats are not allowed


@dataclass(frozen=True, slots=True)
class Marks:
    """Tokens that are no text.

    Attributes:
        end: Ends a text.
        start: Begins one.
        untimed: Asks for no timestamps; never written.
        silent: Stands for no speech.
        timestamp: That of 0 s; all later ones follow it.
        never: Other tokens that are never written.
        not_first: Those with which no text begins.
    """

    end: int
    start: int
    untimed: int
    silent: int
    timestamp: int
    never: Sequence[int]
    not_first: Sequence[int]


@dataclass(frozen=True, slots=True)
class Written:
    """What was found.

    Attributes:
        tokens: Without the last, which ends it.
        score: Logarithm of its probability.
        silence: Probability that nobody speaks.
        ended: Whether it ended by itself.
    """

    tokens: list[int]
    score: float
    silence: float
    ended: bool


class Predictor(Protocol):
    """The part of `text_decoder.TextDecoder` that texts are found with."""

    def memory(self, hypotheses: int, positions: int) -> Memory: ...

    def read(self, tokens: NDArray[np.int64], sound: Sound, memory: Memory) -> Floats: ...

    def go_on(self, tokens: NDArray[np.int64], at: int, sound: Sound, memory: Memory) -> Floats: ...


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    tokens: list[int]
    score: float


def search(
    decoder: Predictor, sound: Sound, prompt: Sequence[int], marks: Marks, *,
    beam: int, most: int, allow_repeats: bool = True, guess: Sequence[int] = (),
) -> Written:  # fmt: skip
    """Return the most probable text.

    Args:
        decoder: Says what is probable.
        sound: That is heard.
        prompt: Tokens before the text, `marks.start` among them.
        marks: Tokens that are no text.
        beam: How many hypotheses are followed.
        most: Tokens of the longest text.
        allow_repeats: Whether three tokens may come again in the same order.
        guess: How the text may begin. It is read at once, and taken as far as each of its tokens
            is the most probable.
    """
    guess = guess[: most - 1]
    memory = decoder.memory(beam, len(prompt) + most)
    logits = decoder.read(np.array([*prompt, *guess]), sound, memory)
    begin = logits[list(prompt).index(marks.start)]
    silence = float(np.exp(_log_softmax(begin[None])[0, marks.silent]))
    logits = logits[len(prompt) - 1 :]
    known = _confirmed(logits, guess, marks, allow_repeats=allow_repeats)
    live, ended = [known], list[_Hypothesis]()
    logits = logits[len(known.tokens) :][:1]
    for length in range(len(known.tokens), most):
        scores = _ruled(logits, live, marks, allow_repeats=allow_repeats)
        if length == 1 and silence < SPOKEN:
            scores[:, marks.end] = _NEVER
        scores += np.array([[one.score] for one in live], np.float32)
        parents, followed = list[int](), list[_Hypothesis]()
        for at in _highest(scores.ravel(), 2 * beam):
            parent, token = divmod(int(at), scores.shape[1])
            score = float(scores[parent, token])
            if score == _NEVER:
                break
            if token == marks.end:
                ended.append(_Hypothesis(live[parent].tokens, score))
            elif len(followed) < beam:
                parents.append(parent)
                followed.append(_Hypothesis([*live[parent].tokens, token], score))
        best = max((one.score for one in ended), default=-np.inf)
        live = followed
        if not live or best >= live[0].score or length + 1 == most:
            break
        memory = memory.of(np.array(parents), len(prompt) + length)
        tokens = np.array([one.tokens[-1] for one in live])
        logits = decoder.go_on(tokens, len(prompt) + length, sound, memory)
    found = max([*ended, *live], key=lambda one: one.score)
    return Written(found.tokens, found.score, silence, any(found is one for one in ended))


def _confirmed(
    logits: Floats, guess: Sequence[int], marks: Marks, *, allow_repeats: bool
) -> _Hypothesis:
    """Return as much of a guess as is the most probable text, by the logits before each token."""
    begun = [_Hypothesis(list(guess[:at]), 0.0) for at in range(len(guess))]
    scores = _ruled(logits[: len(guess)], begun, marks, allow_repeats=allow_repeats)
    total = 0.0
    for at, (token, row) in enumerate(zip(guess, scores, strict=True)):
        if row.argmax() != token:
            return _Hypothesis(list(guess[:at]), total)
        total += float(row[token])
    return _Hypothesis(list(guess), total)


def _highest(scores: Floats, count: int) -> NDArray[np.intp]:
    """Return where the highest are, the highest first."""
    found = np.argpartition(scores, -count)[-count:]
    return found[np.argsort(-scores[found])]


def _ruled(
    logits: Floats, live: Sequence[_Hypothesis], marks: Marks, *, allow_repeats: bool
) -> Floats:
    """Return the logarithms of probabilities, those of what may not come being minus infinity.

    A text begins with a timestamp. They come in pairs, the end of a part and the beginning of the
    next, except at the end, and never go back. One comes if all together are more probable than
    any other token.
    """
    logits = logits.copy()
    logits[:, list(marks.never)] = _NEVER
    logits[:, marks.untimed] = _NEVER
    first = marks.timestamp
    for row, hypothesis in zip(logits, live, strict=True):
        tokens = hypothesis.tokens
        if not tokens:
            row[list(marks.not_first)] = _NEVER
            row[:first] = _NEVER
            row[first + LATEST + 1 :] = _NEVER
            continue
        stamped = tokens[-1] >= first
        paired = len(tokens) < 2 or tokens[-2] >= first
        if stamped and paired:
            row[first:] = _NEVER
        elif stamped:
            row[: marks.end] = _NEVER
        stamps = [token for token in tokens if token >= first]
        if stamps:
            again = stamped and not paired
            row[first : stamps[-1] + (0 if again else 1)] = _NEVER
        if not allow_repeats:
            row[_repeating(tokens)] = _NEVER
    found = _log_softmax(logits)
    for row in found:
        if _log_sum(row[first:]) > row[:first].max():
            row[:first] = _NEVER
            row -= _log_sum(row[first:])
    return found


def _repeating(tokens: Sequence[int]) -> list[int]:
    """Return the tokens that would make three come again."""
    before = tokens[1 - _GRAM :]
    return [
        tokens[at + _GRAM - 1]
        for at in range(len(tokens) - _GRAM + 1)
        if tokens[at : at + _GRAM - 1] == before
    ]


def _log_softmax(logits: Floats) -> Floats:
    apart = logits - logits.max(axis=1, keepdims=True)
    return apart - np.log(np.exp(apart).sum(axis=1, keepdims=True))


def _log_sum(row: Floats) -> np.float32:
    most = row.max()
    return _NEVER if most == _NEVER else np.log(np.exp(row - most).sum()) + most
