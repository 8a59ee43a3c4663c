"""What OpenAI's clients send, with engines that need no weights."""

import json
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx2 import Response

from live import Site, open_site
from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.engines.ports import Phrase, Transcript
from realtime_avatar.identity.consent import WORDING, agree
from realtime_avatar.identity.voices import EnrolledVoice, Voices
from realtime_avatar.media.credentials import now
from realtime_avatar.server.openai_shapes import Ending, Finish

pytestmark = pytest.mark.anyio

HI = {"model": "avatar", "messages": [{"role": "user", "content": "Hi there"}]}
"""Answered by "You said: Hi there"."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def site() -> AsyncGenerator[Site]:
    async with open_site() as site:
        yield site


async def complete(site: Site, **more: Any) -> tuple[str, str]:
    """Return the reply and why it ended: the same at once and streamed."""
    response = await site.http.post("/v1/chat/completions", json=HI | more)
    assert response.status_code == 200, response.text
    (choice,) = response.json()["choices"]
    response = await site.http.post("/v1/chat/completions", json=HI | more | {"stream": True})
    *told, done = response.text.strip().split("\n\n")
    assert done == "data: [DONE]"
    pieces = [json.loads(line.removeprefix("data: "))["choices"][0] for line in told]
    streamed = "".join(piece["delta"].get("content", "") for piece in pieces)
    assert streamed.strip() == choice["message"]["content"]
    assert pieces[-1]["finish_reason"] == choice["finish_reason"]
    return choice["message"]["content"], choice["finish_reason"]


async def test_null_is_the_same_as_nothing(site: Site):
    names = ("n", "tools", "response_format", "stop", "max_tokens", "temperature")
    assert await complete(site, **dict.fromkeys(names)) == ("You said: Hi there", "stop")
    asked = HI | {"stream": None}
    assert (await site.http.post("/v1/chat/completions", json=asked)).status_code == 200
    said = {"model": "tts-1", "input": "one", "voice": "alloy", "speed": None}
    said["response_format"] = None
    assert (await site.http.post("/v1/audio/speech", json=said)).status_code == 200
    for body in (b"null", b"[1]", b'"x"'):
        json_ = {"Content-Type": "application/json"}
        response = await site.http.post("/v1/chat/completions", content=body, headers=json_)
        assert response.status_code == 400


@pytest.mark.parametrize(
    ("more", "text", "finish"),
    [
        ({"stop": "Hi"}, "You said:", "stop"),
        ({"stop": ["there", "said"]}, "You", "stop"),
        ({"stop": ["nowhere"]}, "You said: Hi there", "stop"),
        ({"max_tokens": 1}, "You", "length"),
        ({"max_completion_tokens": 2, "max_tokens": 100}, "You said", "length"),
        ({"max_tokens": 4096}, "You said: Hi there", "stop"),
        ({"response_format": {"type": "text"}}, "You said: Hi there", "stop"),
    ],
)
async def test_a_reply_ends_where_it_is_wanted_to(
    site: Site, more: dict[str, Any], text: str, finish: str
):
    assert await complete(site, **more) == (text, finish)


@pytest.mark.parametrize(
    "more",
    [
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        {"max_tokens": 0},
        {"stop": [""]},
        {"stop": ["a"] * 5},
    ],
)
async def test_another_result_is_refused_in_words(site: Site, more: dict[str, Any]):
    response = await site.http.post("/v1/chat/completions", json=HI | more)
    assert response.status_code == 400
    (name,) = more
    assert name in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("stops", "tokens", "pieces", "told", "reached"),
    [
        ([], None, ["a", "b"], ["a", "b", ""], None),
        (["END"], None, ["a E", "N", "T EN"], ["a ", "", "ENT ", "EN"], None),
        (["END"], None, ["a E", "N", "D b"], ["a ", "", ""], "stop"),
        (["aab"], None, ["aa", "ab"], ["", "a"], "stop"),
        ([], 1, ["abc", "def"], ["abc", "d"], "length"),
        ([], 1, ["你", "好"], ["你", ""], "length"),
        (["x"], 1, ["abcdex"], ["abcd"], "length"),
    ],
)
def test_where_a_reply_ends(
    stops: Sequence[str],
    tokens: int | None,
    pieces: Sequence[str],
    told: Sequence[str],
    reached: Finish | None,
):
    ending = Ending(stops, tokens)
    heard = list[str]()
    for piece in pieces:
        heard.append(ending.push(piece))
        if ending.reached:
            break
    else:
        heard.append(ending.rest())
    assert (heard, ending.reached) == (told, reached)


async def transcribe(site: Site, **data: Any) -> Response:
    files = {"file": ("x", bundled("questions/en.flac").read_bytes())}
    form = {"model": "whisper-1", **data}
    return await site.http.post("/v1/audio/transcriptions", files=files, data=form)


async def test_subtitles_are_as_many_as_what_is_said_wants(monkeypatch: pytest.MonkeyPatch):
    parts = (Phrase("One. Two.", 0, 32_000), Phrase("Three.", 40_000, 48_000))

    async def long(*_: Any) -> Transcript:
        return Transcript("One. Two. Three.", True, 0, 48_000, "en", parts)

    monkeypatch.setattr("realtime_avatar.server.openai_routes.hear", long)
    async with open_site() as site:
        told = await transcribe(site, response_format="srt")
        assert told.text.count(" --> ") == 3
        assert "00:00:02,500 --> 00:00:03,000\nThree." in told.text
        asked = {"response_format": "verbose_json", "timestamp_granularities[]": "segment"}
        told = (await transcribe(site, **asked)).json()
        assert told["text"] == "One. Two. Three."
        assert [part["text"] for part in told["segments"]] == ["One.", "Two.", "Three."]
        assert [part["id"] for part in told["segments"]] == [0, 1, 2]
        assert (told["segments"][2]["start"], told["segments"][2]["end"]) == (2.5, 3.0)


async def test_times_of_words_are_refused_in_words(site: Site):
    asked = {"response_format": "verbose_json", "timestamp_granularities[]": ["segment", "word"]}
    response = await transcribe(site, **asked)
    assert response.status_code == 400
    assert "single words" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("name", "asked"), [("onyx", "onyx"), ("Onyx", "onyx"), ("tone", "tone"), ("Ann", "ann")]
)
async def test_peoples_own_voices_come_before_names_of_others(
    tmp_path: Path, name: str, asked: str
):
    agreed = agree("voice", "Ann", WORDING["voice"], b"sound", now())
    pitch = np.array([880.0], np.float32)
    Voices(tmp_path).save(EnrolledVoice(name, "fake", agreed, pitch, np.ones(256, np.float32)))
    async with open_site(people=tmp_path) as site:
        for path, said in (
            ("/v1/audio/speech", {"model": "tts-1", "input": "one", "response_format": "pcm"}),
            ("/api/v1/speak", {"text": "one", "format": "pcm"}),
        ):
            sound = (await site.http.post(path, json=said | {"voice": asked})).content
            pcm = np.frombuffer(sound, "<i2")
            rises = np.count_nonzero((pcm[:-1] < 0) & (pcm[1:] >= 0))
            assert rises / 0.1 == pytest.approx(880, abs=20)
        said = {"model": "tts-1", "input": "one", "voice": "nova"}
        assert (await site.http.post("/v1/audio/speech", json=said)).status_code == 200
