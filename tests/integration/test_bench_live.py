"""`avatar bench live` with a real server and real engines."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from realtime_avatar.bench.live_question import RATE, read_question
from realtime_avatar.cli.main import app
from realtime_avatar.dialogue.one_shot import bundled

pytestmark = pytest.mark.weights


def talk(folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    files = ["--json", str(folder / "live.json"), "--plot", str(folder / "live.svg")]
    files += ["--question", str(bundled("questions/en.flac"))]
    told = ["bench", "live", "--turns", "1", "--chat", "scripted", *files, *options]
    done = CliRunner().invoke(app, told)
    if done.exception:
        raise done.exception
    return json.loads((folder / "live.json").read_text("utf-8")), done.stdout


@pytest.mark.parametrize("client", ["light", pytest.param("chromium", marks=pytest.mark.browser)])
def test_a_conversation_is_measured(client: str, tmp_path: Path):
    report, shown = talk(tmp_path, "--client", client)
    (run,) = report["runs"]
    (turn,) = run["turns"]
    assert turn["question"] == "en.flac"
    assert "mountain" in turn["text"]
    assert turn["reply"]
    spoken = read_question(bundled("questions/en.flac"))
    assert 0 < turn["sound"] < 20, "no answer starts with the question, or never"
    assert -spoken.last / RATE < turn["sound"] - turn["stages"]["playout"] < 20
    assert list(turn["stages"]) == sorted(turn["stages"], key=turn["stages"].__getitem__)
    assert run["pictures"]["fps"] > 1
    assert run["server"]
    assert "first sound heard" in shown
    assert (tmp_path / "live.svg").read_text("utf-8").startswith("<svg")
