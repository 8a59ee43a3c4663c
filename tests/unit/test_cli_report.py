"""What is listed can be given to the commands that take it."""

import pytest

from realtime_avatar.cli.report import print_table

ID = "8uFCYHbMWzh6LihhedNq2w"
ROW = [ID, "What [/is] the weather like :sun: " * 9, "Ava", "12", "2026-03-01 12:30"]
COLUMNS = ["id", "words", "with", "turns", "last"]


@pytest.mark.parametrize("columns", ["", "40", "80", "200"])
@pytest.mark.parametrize("terminal", [False, True])
def test_an_id_is_never_cut(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    terminal: bool,
):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    print_table("Conversations", COLUMNS, [ROW], names=True)
    assert ID in capsys.readouterr().out


def test_nothing_is_left_out_and_words_are_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    print_table("Conversations", COLUMNS, [ROW, ["x", "a" * 500, "Ava", "1", "never"]], names=True)
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert printed.count("a") > 500
    assert printed.count("[/is]") == 9
    assert printed.count(":sun:") == 9
