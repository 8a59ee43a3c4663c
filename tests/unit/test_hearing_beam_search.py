"""The most probable text, against trying all of them, and Whisper's rules for timestamps."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from realtime_avatar.hearing.beam_search import LATEST, Marks, search
from realtime_avatar.hearing.text_decoder import Floats, Memory, Sound

END, START, SILENT, UNTIMED, FIRST = 4, 5, 6, 7, 8  # words are 0 to 3
MARKS = Marks(END, START, UNTIMED, SILENT, FIRST, never=(START, 3), not_first=(END,))
VOCABULARY = FIRST + LATEST + 30
SOUND = Sound(np.zeros((1, 1, 1, 1), np.float32), np.zeros((1, 1, 1, 1), np.float32))

Rule = Callable[[tuple[int, ...]], Floats]
"""The logits after some tokens."""


class Script:
    """Predicts by a rule; keeps the texts in the memory, as the real one keeps keys."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.steps = 0

    def memory(self, hypotheses: int, positions: int) -> Memory:
        room = np.zeros((1, hypotheses, positions, 1), np.float32)
        return Memory(room, room.copy())

    def read(self, tokens: np.ndarray, sound: Sound, memory: Memory) -> Floats:
        memory.keys[0, 0, : len(tokens), 0] = tokens
        return np.stack([self._rule(tuple(tokens[: n + 1])) for n in range(len(tokens))])

    def go_on(self, tokens: np.ndarray, at: int, sound: Sound, memory: Memory) -> Floats:
        self.steps += 1
        memory.keys[0, : len(tokens), at, 0] = tokens
        texts = memory.keys[0, : len(tokens), : at + 1, 0].astype(int)
        return np.stack([self._rule(tuple(map(int, text))) for text in texts])


def stamped(text: tuple[int, ...]) -> Floats:
    """Return logits that begin with a timestamp for certain, and are random by the text later."""
    chance = np.random.default_rng([*text, 99])
    logits = np.full(VOCABULARY, -60, np.float32)
    if text[-1] == START:
        logits[FIRST] = 0
        logits[SILENT] = 0
    else:
        logits[[0, 1, 2, END]] = 1.5 * chance.standard_normal(4)
        logits[3] = 9  # never written
    return logits


def log_probability(rule: Rule, text: list[int]) -> float:
    total = 0.0
    for at in range(1, len(text)):
        logits = rule((START, *text[:at])).astype(float)
        logits[[3, START, UNTIMED]] = -np.inf
        total += logits[text[at]] - np.log(np.exp(logits).sum())
    return total


def test_with_enough_hypotheses_it_is_the_best_of_all():
    def other(text: tuple[int, ...]) -> Floats:
        return stamped((*text, 7) if text[-1] != START else text)

    for rule in (stamped, other):
        texts = [
            [FIRST, *words, END] for many in range(5) for words in product((0, 1, 2), repeat=many)
        ]
        best = max(texts, key=lambda text: log_probability(rule, text))
        found = search(Script(rule), SOUND, [START], MARKS, beam=30, most=9)
        assert found.ended
        assert log_probability(rule, [*found.tokens, END]) == pytest.approx(found.score, abs=1e-3)
        assert found.score >= log_probability(rule, best) - 1e-3


@pytest.mark.parametrize(("silent", "words"), [(-1.0, [0, 1]), (1.0, [])])
def test_somebody_who_speaks_says_something(silent: float, words: list[int]) -> None:
    def unsure(text: tuple[int, ...]) -> Floats:
        logits = np.full(VOCABULARY, -60, np.float32)
        if text[-1] == START:
            logits[FIRST], logits[SILENT] = 0, silent
        else:
            logits[[0, 1, 2, END]] = [(1, 0, 0, 0.9), (0, 1, 0, -9), (0, 0, 0, 9)][len(text) - 2]
        return logits

    found = search(Script(unsure), SOUND, [START], MARKS, beam=5, most=9)
    assert found.tokens == [FIRST, *words]
    assert found.ended


def test_it_ends_as_soon_as_nothing_can_be_better():
    def rule(text: tuple[int, ...]) -> Floats:
        logits = np.full(VOCABULARY, -60, np.float32)
        if text[-1] == START:
            logits[FIRST] = 0
        else:
            logits[[0, END]] = (2, 0) if len(text) < 4 else (0, 2)
        return logits

    script = Script(rule)
    found = search(script, SOUND, [START], MARKS, beam=2, most=50)
    assert found.tokens == [FIRST, 0, 0]
    assert script.steps < 6


def test_a_text_that_does_not_end_is_told():
    def rule(text: tuple[int, ...]) -> Floats:
        logits = np.full(VOCABULARY, -60, np.float32)
        logits[FIRST if text[-1] == START else len(text) % 3] = 0
        return logits

    found = search(Script(rule), SOUND, [START], MARKS, beam=2, most=12)
    assert (len(found.tokens), found.ended) == (12, False)
    found = search(Script(rule), SOUND, [START], MARKS, beam=1, most=12, allow_repeats=False)
    grams = list(zip(found.tokens, found.tokens[1:], found.tokens[2:], strict=False))
    assert len(set(grams)) == len(grams)


@pytest.mark.parametrize("wrong", range(5))
def test_a_guess_is_taken_as_far_as_it_is_the_most_probable(wrong: int):
    wanted = FIRST + 3, 0, 1, 2
    rule = timed(*wanted)
    plain = search(Script(rule), SOUND, [START], MARKS, beam=1, most=9)
    guess = list(wanted)
    guess[wrong:] = [2 if token < 2 else 1 for token in guess[wrong:]]
    script = Script(rule)
    found = search(script, SOUND, [START], MARKS, beam=1, most=9, guess=guess)
    assert (found.tokens, found.ended) == (plain.tokens, True)
    assert found.score == pytest.approx(plain.score, abs=1e-3)
    assert script.steps == 4 - wrong


def test_the_probability_of_silence_is_that_after_the_start():
    found = search(Script(stamped), SOUND, [2, START], MARKS, beam=2, most=3)
    logits = stamped((2, START)).astype(float)
    assert found.silence == pytest.approx(1 / np.exp(logits).sum(), rel=1e-4)


def timed(*order: int) -> Rule:
    """Return a rule that wants certain tokens one after another, then the end."""

    def rule(text: tuple[int, ...]) -> Floats:
        logits = np.zeros(VOCABULARY, np.float32)
        at = len(text) - 1
        logits[END] = -20
        logits[order[at] if at < len(order) else END] = 20
        return logits

    return rule


def test_timestamps_come_in_pairs_and_never_go_back():
    wanted = FIRST + 3, 0, FIRST + 9, FIRST + 9, 1, FIRST + 20
    found = search(Script(timed(*wanted)), SOUND, [START], MARKS, beam=2, most=20)
    assert found.tokens == list(wanted)
    # A third in a row, one that goes back and a late beginning are not taken.
    found = search(
        Script(timed(FIRST + 60, FIRST + 9, FIRST + 9, 1, FIRST + 2)),
        SOUND, [START], MARKS, beam=2, most=20,
    ).tokens  # fmt: skip
    assert FIRST <= found[0] <= FIRST + LATEST
    assert found[1] < FIRST
    stamps = [token for token in found if token >= FIRST]
    assert stamps == sorted(stamps)


def test_timestamps_together_can_outweigh_a_word():
    def rule(text: tuple[int, ...]) -> Floats:
        logits = np.full(VOCABULARY, -60, np.float32)
        if text[-1] == START:
            logits[FIRST] = 0
        elif len(text) == 2:
            logits[1] = 0
        elif text[-1] == 1:
            logits[2] = 0  # the likeliest token, but less so than all timestamps
            logits[FIRST + 5 : FIRST + 15] = -1
        else:
            logits[END] = 0
        return logits

    found = search(Script(rule), SOUND, [START], MARKS, beam=1, most=9)
    assert found.tokens[:2] == [FIRST, 1]
    assert found.tokens[2] >= FIRST + 5
