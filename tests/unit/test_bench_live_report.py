import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from realtime_avatar.bench.live_bars import bars
from realtime_avatar.bench.live_figures import figures
from realtime_avatar.bench.live_plot import draw
from realtime_avatar.bench.live_server import serving
from realtime_avatar.bench.live_turns import Heard
from realtime_avatar.cli.main import app
from realtime_avatar.errors import EngineError

STAGES = {"recognizer": 0.3, "end_of_turn": 0.35, "chat": 0.4, "voice": 0.5, "playout": 0.6}
GOOD = {"fps": 24.99, "freezes": 0.0, "longest": 0.12}


def run(sessions: int, *sounds: float | None, seen: dict[str, float] = GOOD) -> dict[str, Any]:
    heard = [
        Heard("a.wav", False, sound=sound, mouth=sound, silence=0.2, stages=STAGES, skews=[0.01])
        for sound in sounds
    ]
    return {"sessions": sessions} | figures(heard, [seen])


def report(*runs: dict[str, Any], chat: str = "llama") -> dict[str, Any]:
    return {
        "machine": {"cores": 2, "cpu": "a <fast> one", "load": 0.1},
        "client": "light",
        "chat": chat,
        "turns": 3,
        "runs": list(runs),
        "bars": [asdict(bar) | {"met": bar.met} for bar in bars(runs, "light", chat)],
    }


def test_bars_are_those_of_the_client_and_the_chat():
    assert {bar.most for bar in bars([run(1, 1.0)], "light", "llama")} >= {1.1, 1.7}
    assert {bar.most for bar in bars([run(1, 1.0)], "chromium", "llama")} >= {1.5, 2.2}
    assert 0.6 in {bar.most for bar in bars([run(1, 1.0)], "light", "scripted")}


def test_bars_are_met_or_not():
    assert all(bar.met for bar in bars([run(1, 0.9, 1.0, 1.1)], "light", "llama"))
    slow = [bar for bar in bars([run(1, 1.4, 1.4, 1.9)], "light", "llama") if not bar.met]
    assert [bar.what for bar in slow] == [
        "end of speech to first sound, s, p50",
        "end of speech to first sound, s, p95",
    ]
    frozen = {"fps": 20.0, "freezes": 3.0, "longest": 0.8}
    missed = [bar for bar in bars([run(1, 1.0, seen=frozen)], "light", "llama") if not bar.met]
    assert len(missed) == 2


def test_what_could_not_be_measured_is_not_met():
    missed = [bar for bar in bars([run(1, None)], "light", "llama") if not bar.met]
    assert {bar.value for bar in missed} >= {None, 1}


def test_bars_are_for_one_conversation():
    assert bars([run(2, 1.0)], "light", "llama") == []


def test_a_drawing_is_svg_and_shows_every_run_and_stage():
    drawn = draw(report(run(1, 0.9, 1.0, 1.1), run(2, 1.2, None, 1.4)))
    root = ET.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"one conversation", "2 at once", "first word", "sound heard", "p50 asked"} <= {*texts}
    lines = list(root.iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(lines) == 2
    height = float(root.attrib["height"])
    for x, y in (point.split(",") for line in lines for point in line.attrib["points"].split()):
        assert 0 <= float(x) <= 960
        assert 0 <= float(y) <= height


def test_a_drawing_of_nothing_is_still_one():
    ET.fromstring(draw(report(run(1, None))))


@pytest.mark.anyio
async def test_a_server_that_does_not_start_says_why():
    with pytest.raises(EngineError, match="unknown language 'xx'"):
        async with serving({"AVATAR_LANGUAGE": "xx"}):
            pytest.fail("it started")


def test_a_question_that_is_none_is_one_line(tmp_path: Path):
    path = tmp_path / "note.txt"
    path.write_text("hello")
    done = CliRunner().invoke(app, ["bench", "live", "--question", str(path)])
    assert "cannot be read as a recording" in str(done.exception)


def test_a_client_that_is_unknown_is_refused():
    assert CliRunner().invoke(app, ["bench", "live", "--client", "telnet"]).exit_code == 2
