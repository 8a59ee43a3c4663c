"""Every capability by itself, over HTTP, with engines that need no weights."""

import base64
import io
import json
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import av
import numpy as np
import pytest
from httpx2 import Response

from live import Site, open_site
from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.errors import EngineError
from realtime_avatar.face.portrait import default_portrait
from realtime_avatar.server.app import create_app

pytestmark = pytest.mark.anyio
QUESTION = bundled("questions/en.flac")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def site() -> AsyncGenerator[Site]:
    async with open_site() as site:
        yield site


def sound(**files: bytes) -> dict[str, Any]:
    """A form's files, with a name that says nothing."""
    return {"audio": ("x.bin", QUESTION.read_bytes())} | {
        name: ("x.bin", data) for name, data in files.items()
    }


def pictures(data: bytes) -> int:
    with av.open(io.BytesIO(data), "r") as film:
        return sum(1 for _ in film.decode(video=0))


def loudness(data: bytes, **options: Any) -> tuple[float, float]:
    """Return the seconds and the peak of a file of sound."""
    with av.open(io.BytesIO(data), "r", **options) as file:
        frames = list(file.decode(audio=0))
        resampled = [part for frame in frames for part in _FLOAT().resample(frame)]
    pcm = np.concatenate([frame.to_ndarray()[0] for frame in resampled])
    return len(pcm) / frames[0].sample_rate, float(abs(pcm).max())


def _FLOAT() -> Any:  # noqa: N802
    return av.AudioResampler("flt", "mono")


def events(response: Response) -> list[tuple[str, dict[str, Any]]]:
    told = list[tuple[str, dict[str, Any]]]()
    for block in response.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "event" in fields:
            told.append((fields["event"], json.loads(fields["data"])))
    return told


async def test_a_recording_is_written_down(site: Site):
    response = await site.http.post("/api/v1/transcribe", files=sound())
    assert response.json() == {"text": "hello there", "language": "en"}
    response = await site.http.post("/api/v1/transcribe", files=sound(), data={"language": "zh"})
    assert response.json()["language"] == "zh"


async def test_a_message_is_answered_in_writing(site: Site):
    asked = {"text": "Who are you?", "history": [{"role": "user", "text": "Hi"}]}
    response = await site.http.post("/api/v1/chat", json=asked)
    assert response.json() == {"text": "You said: Who are you?"}
    response = await site.http.post(
        "/api/v1/chat", json=asked, headers={"Accept": "text/event-stream"}
    )
    told = events(response)
    pieces = [about["text"] for name, about in told if name == "reply"]
    assert len(pieces) > 2
    assert "".join(pieces) == "You said: Who are you?"
    assert told[-1] == ("complete", {"text": "You said: Who are you?"})


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
async def test_a_text_is_spoken_in_every_format(site: Site, form: str):
    said = {"text": "one two three four", "format": form}
    response = await site.http.post("/api/v1/speak", json=said)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("audio/")
    raw = {"format": "s16le", "options": {"sample_rate": "24000"}} if form == "pcm" else {}
    seconds, peak = loudness(response.content, **raw)
    assert seconds == pytest.approx(0.4, abs=0.1)
    assert peak > 0.2


@pytest.mark.parametrize("path", ["animate", "generate", "conversation"])
async def test_a_film_is_sent_or_linked(site: Site, path: str):

    async def ask(accept: str) -> Response:
        send: dict[str, Any] = {"files": sound()}
        if path == "generate":
            send = {"json": {"text": "one two three"}}
        return await site.http.post(f"/api/v1/{path}", headers={"Accept": accept}, **send)

    response = await ask("video/mp4")
    assert response.headers["content-type"] == "video/mp4"
    seen = pictures(response.content)
    again = await site.http.get(response.headers["content-location"])
    assert again.content == response.content
    linked = await ask("*/*")
    assert linked.headers["content-type"] == "application/json"
    about = linked.json()
    assert about["seconds"] == pytest.approx(seen / 25)
    assert pictures((await site.http.get(about["video"])).content) == seen
    if path == "conversation":
        assert about["question"] == {"text": "hello there", "language": "en"}
        assert about["answer"] == "You said: hello there"
    assert (await ask("image/png")).status_code == 406


async def test_somebody_else_can_be_animated(site: Site):
    files = sound(portrait=default_portrait().read_bytes())
    response = await site.http.post("/api/v1/animate", files=files)
    assert response.status_code == 403
    assert "nobody has agreed" in response.json()["error"]
    data = {"person": "Me"}
    response = await site.http.post("/api/v1/animate", files=files, data=data)
    assert response.status_code == 200
    assert len(site.service.avatars._brought) == 0
    files = sound(portrait=b"GIF89a")
    response = await site.http.post("/api/v1/animate", files=files, data=data)
    assert response.status_code == 422
    assert "picture" in response.json()["error"]


async def test_an_empty_portrait_is_refused_and_none_is_the_avatars(site: Site):
    response = await site.http.post("/api/v1/animate", files=sound(portrait=b""))
    assert response.status_code == 422
    assert response.json() == {"error": "the portrait is an empty file"}
    # As browsers send a form in which no file was chosen.
    kind, line = "multipart/form-data; boundary=x", b"\r\n--x\r\nContent-Disposition: form-data; "
    body = line + b'name="audio"; filename="a"\r\n\r\n' + QUESTION.read_bytes()
    body += line + b'name="portrait"; filename=""\r\n\r\n\r\n--x--\r\n'
    headers = {"Content-Type": kind}
    response = await site.http.post("/api/v1/animate", content=body[2:], headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=0-1,x", "bytes=1",
        "lines=0-9", "bytes 0-9", "bytes=0-9-", "bytes=" + "9" * 5000 + "-", "bytes=٣-٤",
    ],
)  # fmt: skip
async def test_a_range_that_makes_no_sense_is_passed_over(site: Site, header: str):
    made = (await site.http.post("/api/v1/generate", json={"text": "one"})).json()
    for path in (made["video"], "/web/call.js"):
        whole = await site.http.get(path)
        response = await site.http.get(path, headers={b"Range": header.encode()})
        assert (response.status_code, response.content) == (200, whole.content)
        part = await site.http.get(path, headers={"Range": "Bytes=0-1, ,"})
        assert (part.status_code, part.content) == (206, whole.content[:2])


async def test_a_film_can_be_had_in_ranges(site: Site):
    made = (await site.http.post("/api/v1/generate", json={"text": "one two"})).json()
    whole = await site.http.get(made["video"])
    size = len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    head = await site.http.head(made["video"])
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(size)
    for ask, start, end in (
        ("0-99", 0, 99),
        ("100-", 100, size - 1),
        ("-50", size - 50, size - 1),
        (f"10-{size * 2}", 10, size - 1),
    ):
        part = await site.http.get(made["video"], headers={"Range": f"bytes={ask}"})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {start}-{end}/{size}"
        assert part.content == whole.content[start : end + 1]
    part = await site.http.get(made["video"], headers={"Range": f"bytes={size}-"})
    assert part.status_code == 416
    etag = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert (await site.http.get(made["video"], headers=etag)).status_code == 200
    for bad in ("nobody", "..%2F..%2Fetc%2Fpasswd", "%00"):
        assert (await site.http.get(f"/api/v1/videos/{bad}")).status_code == 404


async def test_old_films_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("realtime_avatar.server.films.MOST", 1)
    async with open_site() as site:
        made = [
            (await site.http.post("/api/v1/generate", json={"text": "one"})).json()["video"]
            for _ in range(2)
        ]
        assert (await site.http.get(made[0])).status_code == 404
    monkeypatch.undo()
    monkeypatch.setattr("realtime_avatar.server.films.KEPT", -1)
    async with open_site() as site:
        made = (await site.http.post("/api/v1/generate", json={"text": "one"})).json()["video"]
        assert (await site.http.get(made)).status_code == 404
        assert list(site.service.films._folder.iterdir()) == []


async def test_an_answer_comes_in_pieces_that_play(site: Site):
    response = await site.http.post("/api/v1/conversation/stream", files=sound())
    assert response.headers["content-type"].startswith("text/event-stream")
    told = events(response)
    names = [name for name, _ in told]
    assert names[0] == "transcription"
    assert told[0][1] == {"text": "hello there", "language": "en"}
    assert names[-1] == "complete"
    assert names.index("reply") < names.index("video")
    videos = [about for name, about in told if name == "video"]
    assert [video["index"] for video in videos] == list(range(len(videos)))
    pieces = [base64.b64decode(video["data"]) for video in videos]
    assert pictures(b"".join(pieces)) == round(told[-1][1]["seconds"] * 25)
    assert "".join(video["text"] for video in videos).split() == [
        "You",
        "said:",
        "hello",
        "there",
    ]
    assert told[-1][1]["answer"] == "You said: hello there"
    assert pictures(pieces[0] + pieces[1]) >= 4


async def test_the_first_pieces_come_before_the_reply_is_known(monkeypatch: pytest.MonkeyPatch):
    async def long(*_: Any) -> AsyncGenerator[str]:
        for _word in range(200):
            await anyio.lowlevel.checkpoint()
            yield "so "

    monkeypatch.setattr("realtime_avatar.engines.fake.FakeChat.reply", long)
    async with open_site() as site:
        response = await site.http.post("/api/v1/conversation/stream", files=sound())
        names = [name for name, _ in events(response)]
        last = len(names) - 1 - names[::-1].index("reply")
        assert names.index("video") + 1 < last
        assert "video" in names[names.index("video") + 1 : last]


async def test_a_failure_before_the_first_event_is_a_status(monkeypatch: pytest.MonkeyPatch):
    async with open_site() as site:
        silent = {"audio": ("x", b"RIFF" + bytes(40))}
        response = await site.http.post("/api/v1/conversation/stream", files=silent)
        assert response.status_code == 422
        assert list(response.json()) == ["error"]


async def test_a_failure_after_it_is_an_event(monkeypatch: pytest.MonkeyPatch):
    async def broken(*_: Any) -> AsyncGenerator[str]:
        raise EngineError("chat", "it has no idea")
        yield ""

    monkeypatch.setattr("realtime_avatar.engines.fake.FakeChat.reply", broken)
    async with open_site() as site:
        response = await site.http.post("/api/v1/conversation/stream", files=sound())
        assert response.status_code == 200
        told = events(response)
        names = [name for name, _ in told]
        assert names[:2] == ["transcription", "reply"]  # which says that there is no answer
        assert {*names[2:-1]} == {"video"}
        assert names[-1] == "error"
        assert told[-1][1] == {"error": "chat: it has no idea"}
        assert site.service.admission.running == 0


@pytest.mark.parametrize(
    ("path", "send", "why"),
    [
        ("transcribe", {"files": {"audio": ("a.wav", b"hello")}}, "not a recording"),
        ("transcribe", {"files": {"audio": ("a.wav", b"")}}, "empty"),
        ("transcribe", {"data": {"language": "en"}}, "audio"),
        ("transcribe", {"files": sound(), "data": {"language": "xx"}}, "nobody here speaks"),
        ("chat", {"json": {"text": ""}}, "text"),
        ("chat", {"json": {"text": "a" * 5001}}, "text"),
        ("chat", {"json": {"text": "a", "more": 1}}, "more"),
        ("speak", {"json": {"text": "…"}}, "nothing to say"),
        ("speak", {"json": {"text": "a", "voice": "kokoro:af_bella"}}, "no voice"),
        ("speak", {"json": {"text": "a", "format": "exe"}}, "format"),
        ("generate", {"json": {"text": "a", "avatar": "nobody"}}, "not known"),
        ("conversation", {"files": sound(), "data": {"history": "[1]"}}, "history"),
        ("conversation", {"files": sound(), "data": {"history": "x"}}, "history"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_words(
    site: Site, path: str, send: dict[str, Any], why: str
):
    response = await site.http.post(f"/api/v1/{path}", **send)
    assert response.status_code == 422
    assert why in response.json()["error"]


async def test_avatars_and_voices_are_listed(site: Site):
    (avatar,) = (await site.http.get("/api/v1/avatars")).json()
    assert (avatar["name"], avatar["width"]) == ("Ava", 512)
    (voice,) = (await site.http.get("/api/v1/voices")).json()
    assert voice == {"id": "fake:tone", "name": "tone", "languages": ["en", "zh", "es"]}
    said = {"text": "one", "voice": "tone"}
    assert (await site.http.post("/api/v1/speak", json=said)).status_code == 200


async def test_the_document_has_an_example_of_everything(site: Site):
    document = (await site.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    for name in ("Asked", "Speech", "Script", "Heard", "Reply", "FilmLink", "AnswerLink"):
        assert schemas[name]["examples"]
    assert "video/mp4" in _answers(document, "/api/v1/generate")
    assert "text/event-stream" in _answers(document, "/api/v1/conversation/stream")
    for path in ("/v1/models", "/v1/models/{model}", "/api/v1/conversations"):
        example = document["paths"][path]["get"]["responses"]["200"]["content"]
        assert example["application/json"]["example"]
    for name, path in (("AvatarInfo", "avatars"), ("VoiceInfo", "voices")):
        (real,) = (await site.http.get(f"/api/v1/{path}")).json()
        (example,) = schemas[name]["examples"]
        assert example.keys() == real.keys()
    forms = [
        operation["requestBody"]["content"]["multipart/form-data"]
        for path in document["paths"].values()
        for operation in path.values()
        if "multipart/form-data" in operation.get("requestBody", {}).get("content", {})
    ]
    assert len(forms) == 5
    for form in forms:
        body = schemas[form["schema"]["$ref"].rpartition("/")[2]]
        assert {*body["required"]} <= form["example"].keys() <= body["properties"].keys()


@pytest.mark.parametrize("wanted", [False, True])
async def test_the_document_says_that_there_are_keys(wanted: bool):
    async with open_site(require_keys=wanted) as site:
        document = (await site.http.get("/openapi.json")).json()
        assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
        for path, operations in document["paths"].items():
            for operation in operations.values():
                free = path in ("/health", "/ready")
                assert ("security" in operation) != free
                assert free or operation["security"][0] == {"key": []}
                assert free or ({} in operation["security"]) != wanted


def _answers(document: dict[str, Any], path: str) -> dict[str, Any]:
    return document["paths"][path]["post"]["responses"]["200"]["content"]


async def _full(site: Site) -> Response:
    async with site.service.admission.place():
        return await site.http.post("/api/v1/transcribe", files=sound())


@pytest.mark.parametrize(
    ("path", "works", "send"),
    [
        ("/api/v1/transcribe", "decoder", {"files": sound()}),
        ("/api/v1/chat", "think", {"json": {"text": "Hi"}}),
        ("/api/v1/animate", "decoder", {"files": sound()}),
        ("/api/v1/generate", "say", {"json": {"text": "Hi"}}),
        ("/api/v1/conversation", "decoder", {"files": sound()}),
        (
            "/v1/audio/transcriptions",
            "decoder",
            {"files": {"file": sound()["audio"]}, "data": {"model": "whisper-1"}},
        ),
        (
            "/v1/chat/completions",
            "think",
            {"json": {"model": "avatar", "messages": [{"role": "user", "content": "Hi"}]}},
        ),
    ],
)
async def test_a_client_that_goes_away_leaves_its_place(
    monkeypatch: pytest.MonkeyPatch, path: str, works: str, send: dict[str, Any]
):
    begun, left, gone = anyio.Event(), anyio.Event(), anyio.Event()

    async def work(*_: Any, **__: Any) -> None:
        begun.set()
        await anyio.sleep_forever()

    async def think(*_: Any) -> AsyncGenerator[str]:
        await work()
        yield ""

    if works == "decoder":
        monkeypatch.setattr("realtime_avatar.server.decoding.Decoder.audio", work)
    else:
        stage = think if works == "think" else work
        monkeypatch.setattr(f"realtime_avatar.dialogue.requests.{works}", stage)
    async with open_site(jobs=1) as site:
        request = site.http.build_request("POST", path, **send)
        body = [{"type": "http.request", "body": await request.aread(), "more_body": False}]

        async def receive() -> Any:
            if body:
                return body.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def ask() -> None:
            scope = {
                "type": "http",
                "http_version": "1.1",
                "method": "POST",
                "scheme": "http",
                "path": path,
                "query_string": b"",
                "headers": [(name.lower(), value) for name, value in request.headers.raw],
            }
            await create_app(site.service)(scope, receive, fail)
            gone.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            with anyio.fail_after(10):
                await begun.wait()
                assert site.service.admission.running == 1
                left.set()
                await gone.wait()
            assert site.service.admission.running == 0


async def fail(message: Any) -> None:
    raise AssertionError(message)


async def test_a_full_house_says_when_to_come_again():
    async with open_site(jobs=1, jobs_waiting=0) as site:
        with site.service.admission.entered():
            response = await site.http.post("/v1/audio/transcriptions", content=bytes(1_000_000))
            assert response.status_code == 503
            assert response.json()["error"]["type"] == "server_error"
            assert (await site.http.get("/api/v1/voices")).status_code == 200
        response = await _full(site)
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert "waiting" in response.json()["error"]
        assert (await site.http.post("/api/v1/transcribe", files=sound())).status_code == 200
