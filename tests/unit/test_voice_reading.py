import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime_avatar.errors import ModelMissing
from realtime_avatar.voice import chinese, english, spanish
from realtime_avatar.voice.clauses import Clause, Ending
from realtime_avatar.voice.kokoro import find_voices
from realtime_avatar.voice.phonemes import PAUSES, Phonemiser, Spoken, runs, vocabulary
from realtime_avatar.voice.reading import Reader

ALPHABET = vocabulary()


def letters(text: str) -> list[Spoken]:
    """A phonemiser whose phonemes are the Latin letters."""
    return [
        Spoken(part, re.sub(r"[^a-z ,.!?]", "", part.lower().replace("\n", " ")))
        for part in re.findall(r"\w+|\W", text)
    ]


def reader(language: str = "en", longest: int = 400, phonemiser: Phonemiser = letters) -> Reader:
    return Reader(language, lambda _: phonemiser, ALPHABET, longest)


@pytest.fixture(scope="module")
def english_phonemiser() -> Phonemiser:
    return english.phonemiser()


@pytest.fixture(scope="module")
def chinese_phonemiser() -> Phonemiser:
    return chinese.phonemiser()


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Hello", "en", [("en", "Hello")]),
        ("I like 北京 a lot", "en", [("en", "I like "), ("zh", "北京"), ("en", " a lot")]),
        ("有3个，5", "en", [("zh", "有3个，"), ("en", "5")]),
        ("我用iPhone 15。", "zh", [("zh", "我用"), ("en", "iPhone"), ("zh", " 15。")]),
        ("用GPT-4好", "zh", [("zh", "用"), ("en", "GPT-"), ("zh", "4好")]),
        (
            "学machine learning吧",
            "zh",
            [("zh", "学"), ("en", "machine learning"), ("zh", "吧")],
        ),
        ("Voy a 北京", "es", [("es", "Voy a "), ("zh", "北京")]),
        (
            "You say ¿Cómo estás? to friends.",
            "en",
            [("en", "You say "), ("es", "¿Cómo estás?"), ("en", " to friends.")],
        ),
        (
            "She wrote “buenos días” and “good morning”.",
            "en",
            [
                ("en", "She wrote “"),
                ("es", "buenos días"),
                ("en", "” and “good morning”."),
            ],
        ),
        (
            "He said “你好 my friend”.",
            "en",
            [("en", "He said “"), ("zh", "你好"), ("en", " my friend”.")],
        ),
        ("A “déjà vu”.", "en", [("en", "A “déjà vu”.")]),
        ("他说 buenos días。", "zh", [("zh", "他说 "), ("es", "buenos días"), ("zh", "。")]),
        ("", "en", []),
    ],
)
def test_runs_by_script(text: str, language: str, expected: list[tuple[str, str]]):
    assert list(runs(text, language)) == expected


@given(st.text(max_size=60), st.sampled_from(["en", "es", "zh"]))
def test_runs_join_to_the_text(text: str, language: str):
    assert "".join(run for _, run in runs(text, language)) == text


@given(st.text(max_size=120), st.sampled_from(list(Ending)))
def test_the_pieces_join_to_the_clause_in_order(text: str, ending: Ending):
    utterances = reader(longest=20).read(Clause(text, ending))
    if utterances:
        pieces = [piece for utterance in utterances for piece, _ in utterance.pieces]
        assert "".join(pieces) == text
        assert utterances[-1].ending == ending
    for utterance in utterances:
        places = [at for _, at in utterance.pieces]
        assert places == sorted(places)
        assert all(0 <= at <= len(utterance.symbols) for at in places)
        assert 0 < len(utterance.symbols) <= 20
        assert set(utterance.symbols) <= set(ALPHABET)
        assert "  " not in utterance.symbols


def test_words_begin_where_their_symbols_do():
    (utterance,) = reader().read(Clause("one two, three", Ending.SENTENCE))
    assert utterance.symbols == "one two, three"
    assert utterance.pieces == (("one", 0), (" two,", 4), (" three", 9))


def test_numbers_share_the_time_of_their_words(english_phonemiser: Phonemiser):
    text = "In 1995 we met"
    (utterance,) = reader(phonemiser=english_phonemiser).read(Clause(text, Ending.SENTENCE))
    symbols = utterance.symbols
    assert symbols == "ɪn nˌIntˈin nˈIndi fˈIv wi mˈɛt"
    assert utterance.pieces[1:] == (
        (" 1995", symbols.index("nˌI")),
        (" we", symbols.index("wi")),
        (" met", symbols.index("mˈɛ")),
    )


@given(st.text("0123456789.,:/-%$€°kmhCB+=#~×& aIVX'", max_size=60) | st.integers(0).map(str))
@example("9" * 200)
def test_any_number_can_be_read_in_english(english_phonemiser: Phonemiser, text: str):
    for utterance in reader(phonemiser=english_phonemiser).read(Clause(text, Ending.SENTENCE)):
        assert utterance.symbols


@pytest.mark.parametrize("text", ["", " ", "…", "?!", "😀", "**", "---", "“”"])
def test_what_has_no_sound_gives_no_utterance(text: str):
    assert reader().read(Clause(text, Ending.SENTENCE)) == []


def test_code_is_not_read():
    assert reader().read(Clause("print(1)\n", Ending.PARAGRAPH, code=True)) == []


def test_a_clause_cut_between_words_goes_on_in_tone():
    (utterance,) = reader().read(Clause("and so", Ending.WORD))
    assert utterance.symbols == "and so,"


def test_chinese_is_quiet_and_reads_words(
    chinese_phonemiser: Phonemiser, capfd: pytest.CaptureFixture[str]
):
    said = chinese_phonemiser("银行行长说：你好！")
    assert "".join(part.symbols for part in said) == "i↗nxa↗ŋxa↗ŋꭧa↓ŋ ʂwo→: ni↓xau↓! "
    assert "".join(part.text for part in said) == "银行行长说：你好！"
    assert all(symbol in ALPHABET for part in said for symbol in part.symbols)
    assert capfd.readouterr() == ("", "")


def test_mixed_text_is_said_in_both_languages(
    chinese_phonemiser: Phonemiser, english_phonemiser: Phonemiser
):
    phonemisers = {"zh": chinese_phonemiser, "en": english_phonemiser}
    mixed = Reader("zh", phonemisers.__getitem__, ALPHABET, 500)
    (utterance,) = mixed.read(Clause("我用iPhone 15。", Ending.SENTENCE))
    assert utterance.symbols == "wo↓jʊ↘ŋ ˈIfˌOn ʂɨ↗u↓."
    assert "".join(piece for piece, _ in utterance.pieces) == "我用iPhone 15。"


@pytest.mark.parametrize(
    ("written", "spoken"), [("28°C。", "二十八度。"), ("25km。", "二十五公里。")]
)
def test_units_in_chinese_are_no_english_letters(
    chinese_phonemiser: Phonemiser, english_phonemiser: Phonemiser, written: str, spoken: str
):
    phonemisers = {"zh": chinese_phonemiser, "en": english_phonemiser}
    chinese = Reader("zh", phonemisers.__getitem__, ALPHABET, 500)
    (utterance,) = chinese.read(Clause(written, Ending.SENTENCE))
    (same,) = chinese.read(Clause(spoken, Ending.SENTENCE))
    assert utterance.symbols == same.symbols


def test_a_spanish_question_in_english_text_is_said_in_spanish(english_phonemiser: Phonemiser):
    phonemisers = {"en": english_phonemiser, "es": spanish.phonemiser(english_phonemiser)}
    mixed = Reader("en", phonemisers.__getitem__, ALPHABET, 500)
    (utterance,) = mixed.read(Clause("You say ¿Cuánto vale? to her.", Ending.SENTENCE))
    own = "".join(word.symbols for word in phonemisers["es"]("¿Cuánto vale?")).strip()
    assert own in utterance.symbols
    assert own not in "".join(word.symbols for word in english_phonemiser("Cuánto vale?"))


def test_english_words_in_spanish_are_english(english_phonemiser: Phonemiser):
    say = spanish.phonemiser(english_phonemiser)
    assert "".join(part.symbols for part in say("en Washington")) == "en wˈɔʃɪŋtən"
    assert all(set(part.symbols) <= set(ALPHABET) | set(PAUSES) for part in say("el show, ñu"))


class Shelf:
    """A store with two folders."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def has(self, model: str) -> bool:
        return (self._root / model).is_dir()

    def path(self, model: str) -> Path:
        return self._root / model


def test_without_its_voices_kokoro_takes_the_japanese_ones_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with pytest.raises(ModelMissing, match="kokoro-voices"):
        find_voices(Shelf(tmp_path))
    (tmp_path / "kokoro-voices-ja").mkdir()
    np.savez(tmp_path / "kokoro-voices-ja" / "voices_ja.npz", jf_alpha=np.ones((510, 1, 256)))
    assert list(find_voices(Shelf(tmp_path))) == ["jf_alpha"]
    assert "avatar models pull kokoro-voices" in caplog.text
    (tmp_path / "kokoro-voices").mkdir()
    (tmp_path / "kokoro-voices" / "af_heart.bin").touch()
    assert list(find_voices(Shelf(tmp_path))) == ["af_heart"]
