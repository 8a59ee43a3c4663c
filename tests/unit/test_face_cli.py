from pathlib import Path

import pytest
from typer.testing import CliRunner

from realtime_avatar.cli.main import app
from realtime_avatar.errors import InputError

RUN = CliRunner()


def refused(*arguments: str) -> str:
    result = RUN.invoke(app, list(arguments))
    assert isinstance(result.exception, InputError), result.output
    return str(result.exception)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fps", "24"], "25, 30 or 50"),
        (["--background", "transparent", "--out", "a.mp4"], "transparent film is a .webm"),
        (["--out", "a.webm"], "transparent film is a .webm"),
        ([], "there is no file none.wav"),
    ],
)
def test_films_that_cannot_be(options: list[str], words: str):
    assert words in refused("face", "film", "none.jpg", "none.wav", *options)


def test_an_avatar_has_its_own_suffix(tmp_path: Path):
    assert "ends in .rig" in refused("enrol", "face", "none.jpg", "--out", str(tmp_path / "a.zip"))


def test_an_evaluation_wants_files_that_are_there(tmp_path: Path):
    missing = str(tmp_path / "none")
    assert "there is no" in refused("eval", "face", "--data", missing)
    assert "there is no" in refused("eval", "face", "--portrait", missing)
