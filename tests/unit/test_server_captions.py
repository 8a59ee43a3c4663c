from itertools import pairwise

import pytest

from realtime_avatar.engines.ports import Phrase, Transcript
from realtime_avatar.server.captions import LETTERS, SECONDS, captions

RATE = 16_000


def heard(*phrases: tuple[str, float, float]) -> Transcript:
    found = tuple(Phrase(text, round(a * RATE), round(b * RATE)) for text, a, b in phrases)
    text = " ".join(phrase.text for phrase in found)
    return Transcript(text, True, found[0].start, found[-1].end, "en", found)


def test_each_sentence_is_a_line():
    lines = captions(heard(("One. Two!", 1, 3), ("And three…", 5, 6)), RATE)
    assert [text for *_, text in lines] == ["One.", "Two!", "And three…"]
    assert lines[0][:2] == (1.0, pytest.approx(2.1, abs=0.2))
    assert lines[1][1] == 3.0
    assert lines[2][:2] == (5.0, 6.0)


@pytest.mark.parametrize(
    ("text", "seconds", "most"),
    [
        ("so it is, " * 40 + "and ends.", 60, 12),
        ("so it is, " * 40 + "and ends.", 6, 7),
        ("今天天气很好，我们去公园散步吧，" * 12 + "好。", 58, 12),
        ("Slowly, very slowly.", 27, 6),
    ],
)
def test_what_is_long_is_cut_between_words(text: str, seconds: float, most: int):
    lines = captions(heard((text, 0, seconds)), RATE)
    assert 1 < len(lines) <= most
    for start, end, line in lines:
        assert 0 < end - start <= SECONDS + 0.01 or " " not in line
        assert 0 < len(line) <= LETTERS
        assert line[0].isalnum()
    assert all(before[1] <= after[0] for before, after in pairwise(lines))
    assert "".join(line for *_, line in lines).replace(" ", "") == text.replace(" ", "")


def test_without_phrases_the_letters_tell_the_times():
    assert captions(Transcript("A b. C d.", True, 0, 4 * RATE), RATE) == [
        (0.0, pytest.approx(2.2, abs=0.1), "A b."),
        (pytest.approx(2.2, abs=0.1), 4.0, "C d."),
    ]


def test_silence_has_no_lines():
    assert captions(Transcript("", True, 0, RATE), RATE) == []


def test_one_long_word_is_one_line():
    assert len(captions(Transcript("a" * 200, True, 0, 20 * RATE), RATE)) == 1
    assert captions(Transcript("3.5 and U.S. grants", True, 0, RATE), RATE)[0][2].startswith("3.5")
