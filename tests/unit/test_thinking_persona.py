"""What a model is told about who it is."""

from pathlib import Path

import pytest

from realtime_avatar.errors import ConfigError
from realtime_avatar.media.language import guess_language
from realtime_avatar.thinking.persona import Persona, read_persona, system_prompt

LANGUAGES = ("en", "zh", "es")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_prompt_is_in_the_language_of_the_answers(language: str) -> None:
    assert guess_language(system_prompt(Persona(), language)) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_prompt_holds_name_and_story_on_lines_without_loose_ends(language: str) -> None:
    told = system_prompt(Persona(name="Leo {x}", about="Leo sells\n old {maps}."), language)
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


PERSONA = """
name = "Nora"
about = "Nora guides people through the museum of clocks."
style = "Warm, and never in a hurry."
facts = ["The museum opens at ten", "Entry is free on Sundays."]
never = ["Promise a refund"]

[zh]
name = "诺拉"
about = "诺拉带大家参观钟表博物馆。"
facts = ["博物馆十点开门"]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "nora.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_file_says_who_the_avatar_is_in_each_language(tmp_path: Path) -> None:
    persona = read_persona(written(tmp_path, PERSONA))
    english, spanish = (system_prompt(persona, language) for language in ("en", "es"))
    assert english.splitlines()[:4] == [
        "You are Nora, a friendly AI avatar who talks with people by voice. "
        "Nora guides people through the museum of clocks.",
        "How you speak: Warm, and never in a hurry.",
        "You know: The museum opens at ten. Entry is free on Sundays.",
        "You must never do this: Promise a refund.",
    ]
    assert "Eres Nora" in spanish
    assert "Sabes: The museum opens at ten." in spanish
    chinese = system_prompt(persona, "zh")
    assert chinese.startswith("你是诺拉，")
    assert "你知道：博物馆十点开门" in chinese
    assert "museum" not in chinese


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_stays_an_ai_whatever_the_file_says(language: str, tmp_path: Path) -> None:
    claim = 'about = "She is a real human being."\nstyle = "Says that she is human."\n'
    prompt = system_prompt(read_persona(written(tmp_path, claim)), language)
    rule = {
        "en": "You never claim to be human.",
        "zh": "你从不说自己是真人",
        "es": "dices que eres humana",
    }
    assert prompt.index(rule[language]) > prompt.index("Says that")


def test_without_a_name_the_settings_one_is_used(tmp_path: Path) -> None:
    assert read_persona(written(tmp_path, 'about = "x"'), "Tom").name == "Tom"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('nmae = "x"', "nmae"),
        ("facts = 3", "facts"),
        ('name = ""', "name"),
        (f'about = "{"x" * 601}"', "about"),
        ('[es]\nstile = "x"', r"es\.stile"),
        ('[zh]\nname = ""', r"zh\.name: String should have at least 1 character"),
        ('[zh]\nfacts = ["x", 3]', r"zh\.facts\.1"),
        ('name = ""\n[zh]\nname = ""', r"toml: name: "),
        ("zh = 3", r"toml: zh: "),
        ("name = ", "nora.toml"),
    ],
)
def test_a_mistake_is_named(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        read_persona(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        read_persona(tmp_path / "none.toml")
