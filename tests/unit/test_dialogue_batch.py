"""A film is made again when what it is made from has changed, and only then."""

from pathlib import Path
from typing import Any

import pytest

from realtime_avatar.config import Settings
from realtime_avatar.dialogue.batch import Made, _digest, generate
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.scripts import Script

pytestmark = pytest.mark.anyio

VOICE = {"en": "fake", "zh": "fake", "es": "fake"}
SCRIPTS = (Script("one two", "free"), Script("one two", "fixed", language="en"))


async def made(folder: Path, **options: Any) -> dict[str, Made]:
    """Return what a run made anew."""
    async with Ensemble(Settings(face="fake", voice=VOICE, **options)) as ensemble:
        batch = await generate(ensemble, SCRIPTS, folder, (64, 64))
    assert not any(film.problem for film in batch.films)
    return {film.film.stem: film for film in batch.films if not film.skipped}


async def test_another_language_makes_the_films_anew_whose_language_it_changes(tmp_path: Path):
    assert set(await made(tmp_path)) == {"free", "fixed"}
    assert await made(tmp_path) == {}
    assert await made(tmp_path, language="en") == {}  # it was found to be English
    assert set(await made(tmp_path, language="es")) == {"free"}
    assert await made(tmp_path, language="es") == {}
    assert set(await made(tmp_path)) == {"free"}


@pytest.mark.parametrize(
    ("before", "after", "anew"),
    [
        ({}, {"hibari": {"speed": 1.5}}, True),
        ({}, {"ditto": {"steps": 5}}, True),
        ({}, {"kokoro": {"speed": 1.5}}, True),  # says what enrolled people say
        ({}, {"llama": {"seed": 3}, "xtts": {"speed": 2}}, False),
        ({"hibari": {"a": 1, "b": 2}}, {"hibari": {"b": 2, "a": 1}}, False),
        ({"hibari": {"api_key": "x"}}, {"hibari": {"api_key": "y"}}, False),
    ],
)
async def test_the_options_count_of_engines_that_make_the_film(
    before: dict[str, Any], after: dict[str, Any], anew: bool
):
    first, second = (
        _digest(
            Script("one", "a", voice="hibari:x"),
            Settings(face="ditto", engines=options, voice=VOICE),
            None,
            "en",
        )
        for options in (before, after)
    )
    assert (first != second) == anew
