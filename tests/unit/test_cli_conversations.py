"""`avatar conversations` on a real database."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from kept import entry
from realtime_avatar.cli.main import app, main
from realtime_avatar.identity.store import open_store


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AVATAR_DATABASE", str(tmp_path / "kept.db"))

    async def fill() -> None:
        async with open_store(str(tmp_path / "kept.db")) as store:
            await store.write([entry("sun", said="Is it sunny?"), entry("sun", 2, "Good")])
            await store.write([entry("rain", said="明天下雨吗", owner="bob", day=1)])

    anyio.run(fill)


def avatar(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    app(["conversations", *arguments], standalone_mode=False)
    return capsys.readouterr().out


def found(text: str) -> list[Any]:
    return [item["id"] for item in json.loads(text)]


def test_everybodys_conversations_are_listed_and_searched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert found(avatar(capsys, "list", "--json")) == ["rain", "sun"]
    assert found(avatar(capsys, "list", "--limit", "1", "--json")) == ["rain"]
    assert found(avatar(capsys, "search", "下雨", "--json")) == ["rain"]
    assert found(avatar(capsys, "search", "nothing", "--json")) == []
    table = avatar(capsys, "search", "sunny")
    assert "Is it sunny?" in table
    assert "1 of 1 conversations" in table


def test_one_is_shown_and_exported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "): Is it sunny?" in avatar(capsys, "show", "sun")
    assert json.loads(avatar(capsys, "show", "sun", "--json"))["turns"][1]["said"] == "Good"
    assert avatar(capsys, "export", "sun", "--format", "srt").startswith("1\n00:00:0")
    assert avatar(capsys, "export", "sun", "--out", "sun.json") == ""
    assert json.loads((tmp_path / "sun.json").read_text("utf-8"))["id"] == "sun"


def test_they_are_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    assert avatar(capsys, "delete", "sun") == "Deleted: 1\n"
    assert found(avatar(capsys, "list", "--json")) == ["rain"]
    assert avatar(capsys, "delete", "--all") == "Deleted: 1\n"
    assert found(avatar(capsys, "list", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "setting", "why"),
    [
        (["show", "nobody"], None, "that conversation is not known here"),
        (["delete", "nobody"], None, "that conversation is not known here"),
        (["delete"], None, "name the conversations"),
        (["delete", "sun", "--all"], None, "name the conversations"),
        (["export", "sun", "--out", "no/where"], None, "cannot write no/where"),
        (["list"], "none", "no conversations are kept"),
        (["list"], "mysql://here/x", "neither sqlite nor postgresql"),
    ],
)
def test_what_cannot_be_is_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    setting: str | None,
    why: str,
) -> None:
    if setting:
        monkeypatch.setenv("AVATAR_DATABASE", setting)
    monkeypatch.setattr("sys.argv", ["avatar", "conversations", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("avatar: ")
    assert why in error
    assert len(error.splitlines()) == 1
