"""The benchmarks run, on real weights; what they measure is not judged here."""

import json
import sys

import pytest

from realtime_avatar.bench.offline import Bar, bench_offline
from realtime_avatar.cli import main as avatar
from realtime_avatar.errors import EngineError


def test_a_bar_is_met_at_its_limit():
    assert Bar("face", "ms", 12, 12).met
    assert not Bar("face", "ms", 12, 12.1).met
    assert Bar("face", "ms", 12).met is None


@pytest.mark.weights
def test_a_section_is_measured_against_its_bars():
    report = bench_offline(["recognizer"], runs=1)
    assert {bar["section"] for bar in report["bars"]} == {"recognizer"}
    assert report["figures"]["recognizer"]["clips"]["jfk.wav"]["seconds"] == pytest.approx(11)
    assert report["machine"]["cores"] >= 1
    assert report["machine"]["versions"]["faster-whisper"]


def test_a_section_that_fails_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AVATAR_RECOGNIZER", "parrot")
    with pytest.raises(EngineError, match=r"bench recognizer.*parrot"):
        bench_offline(["recognizer"], runs=1)


@pytest.mark.weights
def test_the_command_prints_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["avatar", "bench", "offline", "--only", "disk", "--json"])
    with pytest.raises(SystemExit) as end:
        avatar()
    assert not end.value.code
    report = json.loads(capsys.readouterr().out)
    (bar,) = report["bars"]
    assert bar["value"] > 0.1
