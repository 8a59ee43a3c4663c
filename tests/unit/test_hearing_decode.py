from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from realtime_avatar.hearing.beam_search import Written
from realtime_avatar.hearing.decode import FULL, LEAD, LIVE_TAIL, TAIL, Decoder, twice

RATE = 16000
BEGIN = 50364  # the timestamp 0.00, as in Whisper's vocabulary; words are below


class Words:
    """A vocabulary of one word for each number."""

    def token_to_id(self, token: str) -> int:
        return {"<|startoftranscript|>": 50258, "<|endoftext|>": 50257}.get(token, BEGIN - 1)

    def encode(self, text: str, add_special_tokens: bool) -> Any:
        return SimpleNamespace(ids=[ord(letter) for letter in text])

    def decode(self, tokens: list[int]) -> str:
        return "".join(f" w{token}" for token in tokens)


class Model:
    """Stands in for CTranslate2's model and faster-whisper's, and says what it is told to."""

    is_multilingual = True
    max_length = 448
    supported_languages = ("en", "zh")
    hf_tokenizer = Words()

    def __init__(self, tokens: list[int], score: float = -4.0) -> None:
        self.model = self
        self._found = SimpleNamespace(sequences_ids=[tokens], scores=[score], no_speech_prob=0.1)
        self.seen: Any = None

    def feature_extractor(self, samples: Any, padding: int) -> Any:
        assert padding == 0
        return samples

    def encode(self, features: Any) -> Any:
        return features

    def detect_language(self, encoded: Any) -> Any:
        return [[("<|zh|>", 0.7), ("<|en|>", 0.3)]]

    def generate(self, encoded: Any, prompts: Any, **options: Any) -> Any:
        self.seen = SimpleNamespace(prompt=prompts[0], **options)
        return [self._found]


def at(seconds: float) -> int:
    return BEGIN + round(seconds * 50)


@pytest.mark.parametrize(
    ("seconds", "full", "length"),
    [(3, False, LEAD + 3 * RATE + TAIL), (28, False, FULL), (3, True, FULL)],
)
def test_a_piece_is_heard_with_silence_around_it(seconds: int, full: bool, length: int) -> None:
    samples = np.full(seconds * RATE, 0.5, np.float32)
    padded = Decoder(Model([])).encode(samples, full=full)
    assert len(padded) == length
    assert np.array_equal(padded.nonzero()[0], np.arange(LEAD, LEAD + len(samples)))


@pytest.mark.parametrize(("seconds", "length"), [(1, TAIL), (3, 3 * RATE + LIVE_TAIL)])
def test_while_somebody_waits_there_is_less_silence_but_after_a_short_piece(
    seconds: int, length: int
) -> None:
    padded = Decoder(Model([])).encode(np.ones(seconds * RATE, np.float32), tail=LIVE_TAIL)
    assert len(padded) == LEAD + length


def test_text_between_timestamps() -> None:
    model = Model([at(0), 1, 2, at(1.2), at(1.2), 3, at(2)])
    heard = Decoder(model).decode(None, "en", 2 * RATE, beam=5)
    assert heard.text == "w1 w2 w3"
    assert heard.end == 2 * RATE - LEAD
    assert heard.confidence == -4.0 / 8
    assert heard.no_speech == 0.1
    assert not heard.looping


def test_parts_have_the_times_between_timestamps() -> None:
    model = Model([at(0), 1, 2, at(1.2), at(1.4), 3, at(2), at(2), 4, at(9), 5])
    heard = Decoder(model).decode(None, "en", 3 * RATE, beam=5)
    first, second = round(1.2 * RATE) - LEAD, round(1.4 * RATE) - LEAD
    third = 2 * RATE - LEAD
    assert heard.spans == ((0, first, "w1 w2"), (second, third, "w3"), (third, 3 * RATE, "w4"))
    heard = Decoder(Model([1, 2])).decode(None, "en", 3 * RATE, beam=5)
    assert heard.spans == ((0, 3 * RATE, "w1 w2"),)
    assert Decoder(Model([])).decode(None, "en", RATE, beam=5).spans == ()


def test_what_begins_after_the_sound_is_invented() -> None:
    model = Model([at(0), 1, at(2), at(2.5), 2, 3, at(4)])
    assert Decoder(model).decode(None, "en", 2 * RATE, beam=5).text == "w1"
    assert Decoder(model).decode(None, "en", 2 * RATE, beam=5).end == 2 * RATE
    assert Decoder(model).decode(None, "en", 3 * RATE, beam=5).text == "w1 w2 w3"


@pytest.mark.parametrize(
    ("tokens", "end"),
    [
        ([at(0), 1, at(3)], 3 * RATE - LEAD),
        ([at(0), 1, at(2), at(2), 2], 9 * RATE),
        ([at(0), 1, at(2), at(2), 2, at(3), at(3)], 3 * RATE - LEAD),
        ([at(0)], 0),
        ([at(0), 1, at(30)], 9 * RATE),
    ],
)
def test_where_whisper_stops(tokens: list[int], end: int) -> None:
    assert Decoder(Model(tokens)).decode(None, "en", 9 * RATE, beam=5).end == end


@pytest.mark.parametrize(
    ("tokens", "looping"),
    [([7] * 25, True), (list(range(38)), True), (list(range(37)), False)],
    ids=["repetitive", "endless", "much"],
)
def test_loops_are_noticed(tokens: list[int], looping: bool) -> None:
    model = Model(tokens)
    assert Decoder(model).decode(None, "en", 2 * RATE, beam=5).looping == looping
    # CTranslate2 takes half of it for what it makes.
    assert model.seen.max_length == 2 * (26 if len(tokens) < 26 else 38)


def test_what_is_said_again_after_the_sound_is_no_loop() -> None:
    model = Model([at(0), *range(9), at(3), at(3), *range(9), at(6), at(6), *range(9)])
    heard = Decoder(model).decode(None, "en", 2 * RATE, beam=5)
    assert heard.text == " ".join(f"w{word}" for word in range(9))
    assert not heard.looping
    assert model.seen.max_length == 2 * 26  # and no second try


def test_there_is_an_end_to_what_whisper_can_say() -> None:
    model = Model(list(range(224)))
    assert Decoder(model).decode(None, "en", 28 * RATE, beam=5).looping
    assert model.seen.max_length == 448


def test_repeats_can_be_forbidden() -> None:
    model = Model([1])
    Decoder(model).decode(None, "en", RATE, beam=3)
    assert (model.seen.beam_size, model.seen.no_repeat_ngram_size) == (3, 0)
    Decoder(model).decode(None, "en", RATE, beam=3, allow_repeats=False)
    assert model.seen.no_repeat_ngram_size == 3


@pytest.mark.parametrize(("no_speech", "text"), [(0.1, "w1 w2"), (0.6, "")])
def test_somebody_who_speaks_says_something(no_speech: float, text: str) -> None:
    model = Model([])

    def generate(*_: Any, length_penalty: int, **options: Any) -> Any:
        tokens, score = ([at(0), 1, 2, at(1)], -1.2) if length_penalty else ([at(0)], -3.0)
        found = {"sequences_ids": [tokens], "scores": [score], "no_speech_prob": no_speech}
        return [SimpleNamespace(**found)]

    model.generate = generate
    heard = Decoder(model).decode(None, "zh", RATE, beam=5)
    assert (heard.text, heard.confidence) == (text, pytest.approx(-1.2 if text else -1.5))


def test_chinese_follows_on_simplified_characters() -> None:
    model = Model([1])
    Decoder(model).decode(None, "en", RATE, beam=3)
    plain = model.seen.prompt
    Decoder(model).decode(None, "zh", RATE, beam=3)
    assert model.seen.prompt[-len(plain) :] == plain
    assert "".join(map(chr, model.seen.prompt[1 : -len(plain)])).startswith("我们")


def test_probabilities_of_languages() -> None:
    model = Model([])
    assert Decoder(model).probable(None) == {"zh": 0.7, "en": 0.3}


class Scribe:
    """Stands in for the writer, and hears what CTranslate2 has encoded."""

    def __init__(self, found: Written) -> None:
        self._found = found
        self.seen: Any = None

    def listen(self, encoded: Any) -> Any:
        return len(encoded)

    def probable(self, sound: Any) -> dict[str, float]:
        return {"en": 0.9, "zh": 0.1}

    def write(self, sound: Any, prompt: list[int], **options: Any) -> Written:
        self.seen = SimpleNamespace(sound=sound, prompt=prompt, **options)
        return self._found


def test_a_writer_writes_instead_of_ctranslate2() -> None:
    scribe = Scribe(Written([at(0), 1, 2, at(1.2)], -3.0, 0.2, ended=True))
    model = Model([])
    model.encode = lambda features: [features]
    decoder = Decoder(model, cast("Any", scribe))
    sound = decoder.encode(np.zeros(2 * RATE, np.float32))
    assert sound == LEAD + 2 * RATE + TAIL
    assert decoder.probable(sound) == {"en": 0.9, "zh": 0.1}
    heard = decoder.decode(sound, "en", 2 * RATE, beam=2)
    assert (heard.text, heard.confidence, heard.no_speech) == ("w1 w2", -3.0 / 5, 0.2)
    assert not heard.looping
    assert (scribe.seen.beam, scribe.seen.most, scribe.seen.allow_repeats) == (2, 38, True)
    assert model.seen is None
    assert (scribe.seen.guess, heard.tokens) == ((), (at(0), 1, 2))
    decoder.decode(sound, "en", 2 * RATE, beam=2, guess=heard.tokens)
    assert scribe.seen.guess == heard.tokens


@pytest.mark.parametrize(("ended", "looping"), [(True, False), (False, True)])
def test_a_text_that_does_not_end_loops(ended: bool, looping: bool) -> None:
    scribe = Scribe(Written([at(0), *range(20)], -3.0, 0.2, ended))
    decoder = Decoder(Model([]), cast("Any", scribe))
    assert decoder.decode(1, "en", 2 * RATE, beam=2).looping == looping


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The red bus. The red bus!", True),
        ("No, no!", False),
        ("The red bus. The red car.", False),
        ("", False),
    ],
)
def test_the_same_words_twice_are_noticed(text: str, expected: bool) -> None:
    assert twice(text) is expected
