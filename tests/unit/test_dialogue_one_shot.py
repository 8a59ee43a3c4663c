"""One question in a file, with engines that need no weights."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from live import fake_settings
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.one_shot import answer_file, bundled, say_file
from realtime_avatar.engines.fake import FakeRecognizer
from realtime_avatar.engines.registry import Kind

pytestmark = pytest.mark.anyio

Loaded = list[tuple[tuple[Kind, ...], str]]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """What was loaded before the clock began, and in which language."""
    done: Loaded = []
    load = Ensemble.load

    async def note(ensemble: Ensemble, kinds: Iterable[Kind], language: str = "") -> None:
        kinds = tuple(kinds)
        done.append((kinds, language))
        await load(ensemble, kinds, language)

    monkeypatch.setattr(Ensemble, "load", note)
    return done


@pytest.mark.parametrize(("fixed", "spoken"), [("", "es"), ("zh", "zh")])
async def test_the_voice_of_the_questions_language_is_there_before_the_answer_is_thought_of(
    fixed: str, spoken: str, loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = FakeRecognizer.open

    def in_spanish(engine: FakeRecognizer, *, languages: Sequence[str] = (), live: bool = False):
        known = [language for language in languages if language == "es"] or languages
        return hear(engine, languages=known, live=live)

    monkeypatch.setattr(FakeRecognizer, "open", in_spanish)
    async with Ensemble(fake_settings(language=fixed)) as ensemble:
        question = bundled("questions/en.flac")
        film = await answer_file(ensemble, question, tmp_path / "film.mp4", (64, 64))
    assert loaded == [(("chat", "voice", "face"), spoken)]
    assert film.language == spoken
    assert film.answer == "You said: hello there"
    heard, shown = film.stages["recognizer"], film.stages["face"]
    assert 0 < heard.first <= film.stages["chat"].first <= shown.first == film.first_picture
    assert film.first_picture < film.elapsed


async def test_what_is_said_is_said_in_the_language_of_the_text(
    loaded: Loaded, tmp_path: Path
) -> None:
    async with Ensemble(fake_settings()) as ensemble:
        film = await say_file(ensemble, "¿Dónde está el tren?", tmp_path / "film.mp4", (64, 64))
    assert loaded == [(("voice", "face"), "es")]
    assert (film.language, film.question) == ("es", "")
