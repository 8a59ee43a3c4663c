"""What a model is told about who it is."""

import pytest

from realtime_avatar.errors import ConfigError
from realtime_avatar.media.language import guess_language
from realtime_avatar.thinking.persona import Persona, system_prompt

LANGUAGES = ("en", "zh", "es")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_prompt_is_in_the_language_of_the_answers(language: str) -> None:
    assert guess_language(system_prompt(Persona(), language)) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_prompt_holds_name_and_story_on_lines_without_loose_ends(language: str) -> None:
    told = system_prompt(Persona("Leo {x}", "Leo sells\n old {maps}."), language)
    assert "Leo {x}" in told
    assert "Leo sells old {maps}." in told
    assert "Ava" not in told
    for prompt in (told, system_prompt(Persona(), language)):
        assert all(line == line.strip() for line in prompt.splitlines())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_prompt_is_short_enough_to_be_read_at_once(language: str) -> None:
    assert len(system_prompt(Persona(), language).encode()) < 1000


def test_an_unknown_language_is_an_error_in_words() -> None:
    with pytest.raises(ConfigError, match="'xx'"):
        system_prompt(Persona(), "xx")
