from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from realtime_avatar.engines.ports import Transcript
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import ConfigError, EngineError, ModelMissing
from realtime_avatar.hearing.decode import Heard
from realtime_avatar.hearing.whisper import Whisper, WhisperRecognizer
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from realtime_avatar.media.resample import resample
from realtime_avatar.models.store import ModelStore
from streams import collect, in_chunks, stream

pytestmark = pytest.mark.anyio

RATE = 16000
CLEAR = Heard("Hello.", 10**9, confidence=-0.3, no_speech=0.01, looping=False)


class Loudness:
    """Stands in for Silero: what is loud is speech."""

    def run(self, _: None, given: dict[str, Any]) -> tuple[Any, Any, Any]:
        loud = np.abs(given["input"][:, 64:]).mean(axis=1) > 0.05
        return loud.astype(np.float32), given["h"], given["c"]


class Script:
    """Stands in for Whisper: says what it is told to, and notes what it was asked."""

    def __init__(
        self, heard: Sequence[Heard] = (CLEAR,), probable: Sequence[dict[str, float]] = ()
    ) -> None:
        self._heard, self._probable = list(heard), list(probable)
        self.asked: list[Any] = []
        self.lengths: list[int] = []
        self.beams: list[int] = []
        self.guesses: list[tuple[int, ...]] = []

    def encode(self, samples: Any, *, tail: int, full: bool) -> str:
        self.asked.append("full" if full else "short")
        self.lengths.append(len(samples))
        return self.asked[-1]

    def probable(self, encoded: str) -> dict[str, float]:
        return self._probable.pop(0)

    def decode(
        self, encoded: str, language: str, samples: int, *,
        beam: int, allow_repeats: bool, guess: tuple[int, ...],
    ) -> Heard:  # fmt: skip
        self.beams.append(beam)
        self.guesses.append(guess)
        self.asked.append((encoded, language) if allow_repeats else (encoded, language, "once"))
        return self._heard.pop(0) if len(self._heard) > 1 else self._heard[0]


def recognizer(
    script: Any,
    *languages: str,
    silero: Any = None,
    partials: bool = False,
    live: bool = False,
) -> WhisperRecognizer:
    engine: Any = SimpleNamespace(
        decoder=script, silero=silero or Loudness(), partials=partials, beam=5, live_beam=2
    )
    return WhisperRecognizer(engine, languages or ("en",), live=live)


def spoken(*parts: tuple[float, float], start: int = 0) -> list[Audio]:
    """Return chunks of 20 ms of stretches of (seconds, level)."""
    rng = np.random.default_rng(3)
    levels = np.concatenate([np.full(round(s * RATE), level) for s, level in parts])
    pcm = (rng.uniform(-32767, 32767, len(levels)) * levels).astype(np.int16)
    return in_chunks(Audio(pcm, RATE, start), 320)


SENTENCE = ((1.0, 0.0), (2.0, 0.5), (1.0, 0.0))


async def test_a_sentence_gives_one_final_transcript() -> None:
    script = Script()
    (heard,) = await collect(recognizer(script).transcribe(stream(spoken(*SENTENCE, start=8000))))
    assert script.asked == ["short", ("short", "en")]
    assert (heard.text, heard.final, heard.language) == ("Hello.", True, "en")
    assert heard.start == pytest.approx(24000, abs=512)
    assert heard.end == pytest.approx(56000, abs=512)


async def test_without_speech_whisper_is_not_asked() -> None:
    script = Script()
    (heard,) = await collect(recognizer(script).transcribe(stream(spoken((2, 0), start=100))))
    assert heard == Transcript("", True, 100, 32100)
    assert script.asked == []


async def test_pieces_are_joined_and_guessed_as_they_come() -> None:
    script = Script([CLEAR, Heard("And then?", 10**9, -0.3, 0.01, looping=False)])
    audio = spoken((1, 0.5), (3, 0), (1, 0.5), (1, 0))
    guess, final = await collect(recognizer(script).transcribe(stream(audio)))
    assert (guess.text, guess.final) == ("Hello.", False)
    assert (final.text, final.final) == ("Hello. And then?", True)
    assert (final.start, final.end) == (0, pytest.approx(5 * RATE, abs=512))


async def test_whisper_is_asked_for_what_it_left_out() -> None:
    script = Script([Heard("One.", 20000, -0.3, 0.01, looping=False), CLEAR], [{"en": 1.0}])
    session = recognizer(script, "en", "es")  # the language is detected once
    (final,) = await collect(session.transcribe(stream(spoken(*SENTENCE))))
    assert script.asked == ["short", ("short", "en")] * 2
    assert script.lengths == [pytest.approx(41600, abs=1000), pytest.approx(21600, abs=1000)]
    assert final.text == "One. Hello."
    for stopped in (0, 30000):  # nowhere, or shortly before the end
        script = Script([Heard("One.", stopped, -0.3, 0.01, looping=False), CLEAR])
        (final,) = await collect(recognizer(script).transcribe(stream(spoken(*SENTENCE))))
        assert final.text == "One."


async def test_phrases_have_their_times_in_the_stream() -> None:
    one = Heard("One.", 20000, -0.3, 0.01, looping=False, spans=((0, 20000, "One."),))
    two = Heard("Two.", 10**9, -0.3, 0.01, looping=False, spans=((1600, 10**6, "Two."),))
    (final,) = await collect(
        recognizer(Script([one, two])).transcribe(stream(spoken(*SENTENCE, start=8000)))
    )
    begin = final.start - 3 * RATE // 10  # of what was decoded
    assert [phrase.text for phrase in final.phrases] == ["One.", "Two."]
    first, second = final.phrases
    assert (first.start, first.end) == (final.start, begin + 20000)
    assert (second.start, second.end) == (begin + 21600, final.end)
    audio = resample(join(spoken((1, 0.5), (3, 0), (1, 0.5), (1, 0))), 48_000)
    (*_, final) = await collect(recognizer(Script([one])).transcribe(stream([audio])))
    assert [phrase.start for phrase in final.phrases] == [0, pytest.approx(4 * 48_000, abs=2000)]


async def test_a_word_may_be_short() -> None:
    (final,) = await collect(recognizer(Script()).transcribe(stream(spoken((0.2, 0.5)))))
    assert final.text == "Hello."


async def test_what_is_no_speech_after_all_gives_no_guess() -> None:
    script = Script([Heard("Oh", 10**9, -0.9, 0.7, looping=False)])
    audio = spoken((1, 0.5), (3, 0), (1, 0.5), (1, 0))
    (final,) = await collect(recognizer(script, partials=True).transcribe(stream(audio)))
    assert final == Transcript("", True, 0, 6 * RATE)


async def test_chinese_is_joined_without_spaces() -> None:
    script = Script([Heard("你好。", 10**9, -0.3, 0.01, looping=False)])
    audio = spoken((1, 0.5), (3, 0), (1, 0.5))
    (*_, final) = await collect(recognizer(script, "zh").transcribe(stream(audio)))
    assert final.text == "你好。你好。"


async def test_the_language_of_most_of_the_speech_is_told() -> None:
    script = Script([CLEAR], [{"en": 0.9, "es": 0.01}, {"es": 0.9, "en": 0.01}])
    audio = spoken((1, 0.5), (3, 0), (4, 0.5))
    session = recognizer(script, "en", "es")
    (*_, final) = await collect(session.transcribe(stream(audio)))
    assert [asked for asked in script.asked if isinstance(asked, tuple)] == [
        ("short", "en"),
        ("short", "es"),
    ]
    assert final.language == "es"


async def test_only_allowed_languages_are_heard() -> None:
    script = Script([CLEAR], [{"cy": 0.8, "es": 0.1, "en": 0.01, "nn": 0.09}])
    (final,) = await collect(recognizer(script, "en", "es").transcribe(stream(spoken(*SENTENCE))))
    assert final.language == "es"
    assert script.asked == ["short", ("short", "es")]


async def test_in_doubt_about_the_language_it_listens_again() -> None:
    script = Script([CLEAR], [{"en": 0.4, "zh": 0.5}, {"en": 0.7, "zh": 0.2}])
    (final,) = await collect(recognizer(script, "en", "zh").transcribe(stream(spoken(*SENTENCE))))
    assert script.asked == ["short", "full", ("full", "en")]
    assert final.language == "en"


async def test_people_rather_go_on_in_their_language() -> None:
    unclear = {"en": 0.4, "es": 0.5}
    script = Script([CLEAR], [{"en": 0.9}, unclear, unclear])
    session = recognizer(script, "en", "es")
    for _ in range(2):
        (final,) = await collect(session.transcribe(stream(spoken(*SENTENCE))))
        assert final.language == "en"


async def test_an_utterance_heard_for_longer_is_in_the_language_that_it_began_in() -> None:
    script = Script([CLEAR], [{"en": 0.02, "es": 0.98}, {"en": 0.99, "es": 0.01}])
    session = recognizer(script, "en", "es", live=True)
    for start, language in ((8000, "es"), (8000, "es"), (99_000, "en")):
        audio = spoken(*SENTENCE, start=start)
        (final,) = await collect(session.transcribe(stream(audio)))
        assert final.language == language
    assert script.beams == [2, 2, 2]


async def test_an_utterance_heard_for_longer_is_taken_to_begin_as_it_did() -> None:
    first, second = (replace(CLEAR, tokens=(9, number)) for number in (1, 2))
    loop = replace(CLEAR, tokens=(8, 8), looping=True)
    script = Script([first, second, loop, CLEAR, CLEAR])
    session = recognizer(script, "en", live=True)
    for start in (8000, 8000, 99_000, 99_000):
        await collect(session.transcribe(stream(spoken(*SENTENCE, start=start))))
    # Another utterance begins anew, and so does what follows on a loop.
    assert script.guesses == [(), first.tokens, (), (), ()]


async def test_a_loop_is_broken() -> None:
    loop = Heard("and so and so", 10**9, -0.2, 0.01, looping=True)
    script = Script([loop, CLEAR])
    (final,) = await collect(recognizer(script).transcribe(stream(spoken(*SENTENCE))))
    assert script.asked == ["short", ("short", "en"), "full", ("full", "en")]
    assert final.text == "Hello."
    script = Script([loop, loop, CLEAR])
    (final,) = await collect(recognizer(script).transcribe(stream(spoken(*SENTENCE))))
    assert script.asked[-1] == ("full", "en", "once")
    assert final.text == "Hello."


async def test_a_sentence_heard_twice_is_heard_again_and_then_believed() -> None:
    double = Heard(
        "从这里到机场有二十公里。 从这里到机场有二十公里。", 10**9, -0.1, 0.01, looping=False
    )
    script = Script([double, CLEAR])
    (final,) = await collect(recognizer(script).transcribe(stream(spoken(*SENTENCE))))
    assert script.asked == ["short", ("short", "en"), "full", ("full", "en")]
    assert final.text == "Hello."
    script = Script([double, double])
    (final,) = await collect(recognizer(script).transcribe(stream(spoken(*SENTENCE))))
    assert final.text == double.text


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        (Heard("Oh", 10**9, -0.9, 0.7, looping=False), ""),
        (Heard("Stop.", 10**9, -0.9, 0.4, looping=False), "Stop."),
        (Heard("Yes, of course.", 10**9, -0.3, 0.7, looping=False), "Yes, of course."),
        (Heard("...", 10**9, -0.3, 0.01, looping=False), ""),
    ],
)
async def test_invented_words_are_dropped(heard: Heard, text: str) -> None:
    (final,) = await collect(recognizer(Script([heard])).transcribe(stream(spoken(*SENTENCE))))
    assert final.text == text
    assert final.language == ("en" if text else "")


async def test_a_guess_in_a_pause_is_not_made_twice() -> None:
    script = Script()
    session = recognizer(script, partials=True)
    guess, final = await collect(session.transcribe(stream(spoken(*SENTENCE))))
    assert script.asked == ["short", ("short", "en")]
    assert (guess.final, final.final) == (False, True)
    assert (guess.text, guess.start, guess.end) == (final.text, final.start, final.end)


async def test_a_guess_is_replaced_when_more_is_said() -> None:
    script = Script([CLEAR, Heard("Hello, world.", 10**9, -0.3, 0.01, looping=False)])
    audio = spoken((1, 0), (1, 0.5), (0.6, 0), (1, 0.5))
    guess, final = await collect(recognizer(script, partials=True).transcribe(stream(audio)))
    assert (guess.text, final.text) == ("Hello.", "Hello, world.")


async def test_a_failure_is_an_error_of_the_recognizer() -> None:
    class Broken:
        def run(self, *_: object) -> None:
            raise RuntimeError("no memory")

    session = recognizer(Script(), silero=Broken())
    with pytest.raises(EngineError, match="recognizer: no memory"):
        await collect(session.transcribe(stream(spoken(*SENTENCE))))


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"model\.bin"):
        Whisper(Context(ModelStore(tmp_path), options={"model": str(tmp_path)}))


def test_a_broken_model(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no weights")
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        Whisper(Context(ModelStore(tmp_path), options={"model": str(tmp_path)}))


@pytest.mark.parametrize(
    ("settings", "own", "device", "index"),
    [
        ("auto", None, "cpu", 0),
        ("mps", None, "cpu", 0),
        ("cuda:1", None, "cuda", 1),
        ("cuda:1", "cpu", "cpu", 0),
    ],
)
def test_it_runs_where_the_settings_say(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: str,
    own: str | None,
    device: str,
    index: int,
) -> None:
    asked: dict[str, Any] = {}

    def model(*_: object, **options: Any) -> None:
        asked.update(options)
        raise RuntimeError("enough")

    monkeypatch.setattr("faster_whisper.WhisperModel", model)
    (tmp_path / "model.bin").write_bytes(b"no weights")
    options = {"model": str(tmp_path)} | ({"device": own} if own else {})
    with pytest.raises(ModelMissing, match="enough"):
        Whisper(Context(ModelStore(tmp_path), options=options, device=settings))
    assert (asked["device"], asked["device_index"]) == (device, index)


def test_an_unknown_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="whisper-gigantic"):
        Whisper(Context(ModelStore(tmp_path), options={"model": "whisper-gigantic"}))


def test_a_model_of_faster_whisper_is_not_fetched_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelMissing, match="'tiny'"):
        Whisper(Context(ModelStore(tmp_path, offline=True), options={"model": "tiny"}))


@pytest.mark.parametrize("options", [{"beam": 0}, {"device": "tpu"}, {"language": "en"}])
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Whisper(Context(ModelStore(tmp_path), options=options))
