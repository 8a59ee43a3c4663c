"""A browser plays an answer while the server is still making it."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser.people import Server
from realtime_avatar.dialogue.one_shot import bundled

pytestmark = pytest.mark.browser
WORDS = 80
SETTINGS = f"""
detector = "fake"
recognizer = "fake"
endpointer = "fake"
chat = "scripted"
voice = {{ en = "fake", zh = "fake", es = "fake" }}
face = "fake"
threads = 1

[engines.scripted]
replies = ["{"so " * WORDS}"]
pace = 12
"""


def test_an_answer_plays_before_it_is_complete(
    serve: Callable[..., Server], browse: Callable[..., Browser]
) -> None:
    server = serve(SETTINGS, fake=False)
    page = browse().new_page()
    page.goto(server.address)
    script = (Path(__file__).with_name("stream.js")).read_text("utf-8")
    question = base64.b64encode(bundled("questions/en.flac").read_bytes()).decode()
    seen = page.evaluate(script.split("\n", 2)[2].rstrip().rstrip(";"), [question])
    assert seen["error"] is None
    assert seen["events"][0] == "transcription"
    assert seen["events"][-1] == "complete"
    assert seen["played"] is not None
    assert seen["played"] < seen["complete"] - 1000
    assert seen["size"] == [512, 512]
    assert seen["lit"]
    ranges, end = seen["buffered"]
    assert ranges == 1
    assert end == pytest.approx(WORDS * 0.1, abs=0.2)
