"""Google's voices, on a stand-in that speaks their protocol; the real service was never asked."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import anyio
import numpy as np
import pytest

from realtime_avatar.bench.stand_in import (
    Answer,
    StandIn,
    Then,
    event,
    refusing,
    serve,
    sound,
    sse,
)
from realtime_avatar.engines.ports import Speaker
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import ConfigError, EngineError
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from realtime_avatar.models.store import ModelStore
from realtime_avatar.voice.gemini_speech import GeminiSpeech
from stand_ins import speaking
from streams import collect, stream

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nobody_at_google")]
SOME = b"\x00\x10" * 2400  # 100 ms


@pytest.fixture
async def server() -> AsyncGenerator[StandIn]:
    async with serve() as server:
        server.usual = speaking
        yield server


def engine(server: StandIn, **options: Any) -> GeminiSpeech:
    options = {"base_url": server.url, "api_key": "secret-key"} | options
    return GeminiSpeech(Context(ModelStore(), options=options))


async def say(engine: GeminiSpeech, text: str = "Hello there.", **how: Any) -> Audio:
    async with engine.open(**how) as voice:
        return join(await collect(voice.speak(stream([text]))))


async def fails(engine: GeminiSpeech) -> tuple[str, int]:
    """Speak; return the error's words and the samples that came before it."""
    heard = 0
    async with engine.open() as voice:
        with pytest.raises(EngineError) as failed:
            async for audio in voice.speak(stream(["Hello there."])):
                heard += audio.samples
    assert failed.value.stage == "voice"
    assert "secret-key" not in str(failed.value)
    return str(failed.value), heard


async def test_a_sentence_is_sent_as_it_is_read_and_heard_as_it_comes(server: StandIn):
    made = engine(server, style="calmly")
    said = await say(made, "A **las** 3:45.", language="es", speaker=Speaker("Puck"))
    [request] = server.requests
    assert "/models/gemini-3.8-flash-lite-tts:streamGenerateContent" in request.path
    assert request.headers["x-goog-api-key"] == "secret-key"
    [content] = request.body["contents"]
    [part] = content["parts"]
    assert part["text"] == "A las tres y cuarenta y cinco."
    assert part["speechMetadata"] == {"style": "calmly"}
    config = request.body["generationConfig"]
    assert config["responseModalities"] == ["AUDIO"]
    voice = config["speechConfig"]["voice_config"]["prebuilt_voice_config"]  # as the client has it
    assert voice == {"voice_name": "Puck"}
    assert "systemInstruction" not in request.body
    # The stand-in's tone, 80 ms a word, though its chunks cut samples in two; then silence.
    assert said.samples == 7 * 1920 + 4800
    assert np.abs(said.pcm[: 7 * 1920]).max() == 9830


async def test_the_first_sound_is_heard_before_the_last_is_made(server: StandIn):
    server.answers.append(Answer([sound(SOME * 3), Then.HANG]))
    async with (
        engine(server, next_seconds=30).open() as voice,
        aclosing(voice.speak(stream(["Hello there."]))) as said,
    ):
        with anyio.fail_after(10):
            first = await anext(said)
    assert first.samples == 4800
    with anyio.fail_after(2):
        await server.left.wait()


@pytest.mark.parametrize("language", ["en", "zh", "es"])
async def test_through_vertex_another_address_is_asked(server: StandIn, language: str):
    made = engine(server, api_key=None, project="mine")
    words, heard = await fails(made)  # nobody has credentials here
    assert "Vertex AI" in words
    assert heard == 0
    assert server.requests == []
    async with made.open(language=language):
        pass


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (refusing(429, "Quota exceeded", "RESOURCE_EXHAUSTED"), "Gemini answered 429: Quota"),
        (refusing(500, "Internal error", "INTERNAL"), "500"),
        (refusing(403, "no", "PERMISSION_DENIED"), "403"),
        (refusing(404, "no such model", "NOT_FOUND"), "no such model"),
        (Answer([sse({"promptFeedback": {"blockReason": "SAFETY"}})]), "refused"),
        (Answer([event("", finish="PROHIBITED_CONTENT")]), "held back"),
        (Answer([b"data: {not json\r\n\r\n"]), "made no sense"),
        (Answer([sound(SOME, kind="audio/ogg", finish="STOP")]), "audio/ogg"),
        (Answer([sound(SOME, kind="audio/L16;rate=48000", finish="STOP")]), "rate=48000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_refused_is_told_and_asked_once(server: StandIn, refusal: Answer, words: str):
    server.answers.append(refusal)
    told, heard = await fails(engine(server))
    assert words in told
    assert heard == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "nothing",
    [
        Answer([Then.CUT]),
        Answer([event("", finish="OTHER")]),
        Answer([event("I cannot speak.", finish="STOP")]),
    ],
    ids=["cut", "OTHER", "text"],
)
async def test_once_nothing_is_forgiven_twice_is_told(server: StandIn, nothing: Answer):
    server.answers.append(nothing)
    assert (await say(engine(server))).samples == 2 * 1920 + 4800
    assert len(server.requests) == 2
    server.answers.extend([nothing] * 2)
    _, heard = await fails(engine(server))
    assert heard == 0
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ([Then.CUT], "reached"),
        ([], "broke off"),
        ([event("", finish="OTHER")], "could not finish"),
        ([Then.HANG], "silent for 0.2 s"),
    ],
)
async def test_what_breaks_off_is_heard_that_far_and_never_begun_again(
    server: StandIn, end: list[Any], words: str
):
    server.answers.append(Answer([sound(SOME * 3), *end]))
    told, heard = await fails(engine(server, next_seconds=0.2))
    assert words in told
    assert heard == 4800  # the chunk that was full
    assert len(server.requests) == 1


async def test_a_server_that_hangs_is_given_up_and_the_line_closed(server: StandIn):
    server.answers.append(Answer([Then.HANG]))
    told, _ = await fails(engine(server, first_seconds=0.2))
    assert "within 0.2 s" in told
    with anyio.fail_after(2):
        await server.left.wait()


async def test_without_a_key_it_says_what_to_set(server: StandIn):
    told, _ = await fails(engine(server, api_key=None))
    assert "GEMINI_API_KEY" in told


async def test_only_voices_of_the_settings_are_spoken_with(server: StandIn):
    made = engine(server, voices=["Kore"], languages=["es"])
    with pytest.raises(ConfigError, match="'Puck'; it has: Kore"):
        await say(made, language="es", speaker=Speaker("Puck"))
    with pytest.raises(ConfigError, match="'en'"):
        await say(made, language="en")
    assert server.requests == []
