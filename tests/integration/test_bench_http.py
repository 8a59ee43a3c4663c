"""`avatar bench http` with a real server."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from realtime_avatar.cli.main import app
from serving import FAKES


def test_a_crowd_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in {**FAKES, "AVATAR_JOBS": "1", "AVATAR_JOBS_WAITING": "3"}.items():
        monkeypatch.setenv(name, value)
    told = ["bench", "http", "--runs", "1", "--uploads", "20", "--json", str(tmp_path / "x.json")]
    done = CliRunner().invoke(app, told)
    if done.exception:
        raise done.exception
    report = json.loads((tmp_path / "x.json").read_text("utf-8"))
    crowd = report["crowd"]
    assert set(crowd["answered"]) == {"200", "503"}
    assert sum(crowd["answered"].values()) == 20
    assert crowd["answered"]["200"] >= 4
    assert (crowd["dropped"], crowd["rude"]) == (0, 0)
    assert crowd["ready"]["count"] > 0
    assert 0 < report["first_piece"]["p50"] <= report["complete"]["p50"]
    assert len(report["bars"]) == 4
    assert "first piece that plays" in done.stdout
