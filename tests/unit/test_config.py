from pathlib import Path

import pytest

from realtime_avatar.config import load_settings
from realtime_avatar.errors import ConfigError


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AVATAR_FACE", "AVATAR_THREADS", "AVATAR_LANGUAGE", "AVATAR_VOICE__EN"):
        monkeypatch.delenv(name, raising=False)


def test_defaults_make_sense():
    settings = load_settings()
    assert settings.voice_for("en") == ("hibari", "")
    assert settings.threads >= 1


def test_flags_win_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch):
    Path("avatar.toml").write_text('face = "file"\nthreads = 7\nname = "Tom"\n')
    monkeypatch.setenv("AVATAR_FACE", "environment")
    monkeypatch.setenv("AVATAR_THREADS", "5")
    settings = load_settings(threads=3, name=None)
    assert (settings.face, settings.threads, settings.name) == ("environment", 3, "Tom")


def test_nested_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AVATAR_VOICE", '{"en": "kokoro:af_bella"}')
    monkeypatch.setenv("AVATAR_LANGUAGES", '["en"]')
    settings = load_settings()
    assert settings.voice_for("en") == ("kokoro", "af_bella")


@pytest.mark.parametrize(
    ("toml", "environment", "chats"),
    [
        ("", "", ("local",)),
        ('chat = ["gemini", "auto"]', "", ("gemini", "local")),
        ("[engines.llama]\nthreads = 1", "", ("llama",)),
        ("[engines.llama]\n[engines.local]", "", ("local",)),
        ('chat = "gemini"', "", ("gemini",)),
        ('chat = ["gemini", "llama"]', "", ("gemini", "llama")),
        ("", "openai", ("openai",)),
        ("", '["openai", "llama"]', ("openai", "llama")),
    ],
)
def test_chats_may_be_one_or_several(
    toml: str, environment: str, chats: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    Path("avatar.toml").write_text(toml)
    monkeypatch.setattr("realtime_avatar.config.computes_chats", lambda: True)
    if environment:
        monkeypatch.setenv("AVATAR_CHAT", environment)
    assert load_settings().chats == chats


def test_a_processor_that_cannot_compute_chats_leaves_them_to_llama(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("realtime_avatar.config.computes_chats", lambda: False)
    assert load_settings().chats == ("llama",)
    assert load_settings(chat=("gemini", "auto")).chats == ("gemini", "llama")


def test_keys_are_not_shown():
    Path("avatar.toml").write_text('[engines.gemini]\napi_key = "secret"\n')
    assert "secret" not in repr(load_settings())


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('prot = "x"', "prot"),
        ("threads = 0", "threads"),
        ('language = "xx"', "'xx'"),
        ('languages = ["en", "tlh"]', "'tlh'"),
        ("chat = []", "chat"),
        ("this is not toml", "avatar.toml"),
    ],
)
def test_a_mistake_is_named(toml: str, message: str):
    Path("avatar.toml").write_text(toml)
    with pytest.raises(ConfigError, match=message):
        load_settings()


def test_a_language_without_a_voice_is_an_error():
    with pytest.raises(ConfigError, match="'tlh'"):
        load_settings().voice_for("tlh")
