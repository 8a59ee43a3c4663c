"""OpenAI's own client, and a server in a process of its own."""

import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import av
import openai
import pytest
from openai import AsyncOpenAI

from realtime_avatar.bench.live_server import serving
from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.hearing.score import word_errors

pytestmark = pytest.mark.anyio
QUESTION = bundled("questions/en.flac")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def client_of(url: str, **options: Any) -> AsyncGenerator[AsyncOpenAI]:
    options = {"api_key": "none", "max_retries": 0} | options
    async with AsyncOpenAI(base_url=f"{url}/v1", **options) as client:
        yield client


@pytest.fixture(scope="module")
async def client(fake_server: str) -> AsyncGenerator[AsyncOpenAI]:
    async with client_of(fake_server) as client:
        yield client


@pytest.fixture(scope="module")
async def real() -> AsyncGenerator[AsyncOpenAI]:
    async with serving({}) as server, client_of(server.url) as client:
        yield client


async def test_models_are_listed(client: AsyncOpenAI):
    listed = [model.id async for model in client.models.list()]
    assert listed[0] == "avatar"
    assert (await client.models.retrieve("avatar")).owned_by == "realtime-avatar"
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("gpt-9")
    assert caught.value.code == "model_not_found"


async def test_a_recording_is_written_down(client: AsyncOpenAI):
    create = client.audio.transcriptions.create
    assert (await create(model="whisper-1", file=QUESTION)).text == "hello there"
    verbose = await create(model="fake", file=QUESTION, response_format="verbose_json")
    assert verbose.segments is not None
    assert verbose.segments[0].text == "hello there"
    assert float(verbose.duration) == pytest.approx(2.6, abs=0.2)
    assert await create(model="whisper-1", file=QUESTION, response_format="text") == "hello there\n"
    srt = str(await create(model="whisper-1", file=QUESTION, response_format="srt"))
    assert srt.startswith("1\n00:00:00,000 --> 00:00:02,6")
    vtt = str(await create(model="whisper-1", file=QUESTION, response_format="vtt"))
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.6")
    stream = await create(model="whisper-1", file=QUESTION, stream=True)
    kinds = [event.type async for event in stream]
    assert kinds == ["transcript.text.delta", "transcript.text.done"]


async def test_a_text_is_spoken_while_it_is_sent(client: AsyncOpenAI):
    speech = client.audio.speech.with_streaming_response
    async with speech.create(model="tts-1", voice="alloy", input="so " * 100) as answer:
        pieces = [piece async for piece in answer.iter_bytes()]
    with av.open(io.BytesIO(b"".join(pieces)), "r") as file:
        assert file.format.name == "mp3"
        assert sum(frame.samples for frame in file.decode(audio=0)) == pytest.approx(
            240_000, rel=0.05
        )
    assert len(pieces) > 5


async def test_a_conversation_goes_on(client: AsyncOpenAI):
    messages: Any = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    whole = await client.chat.completions.create(model="avatar", messages=messages)
    assert whole.choices[0].message.content == "You said: Hi"
    assert whole.choices[0].finish_reason == "stop"
    stream = await client.chat.completions.create(model="fake", messages=messages, stream=True)
    chunks = [chunk async for chunk in stream]
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "".join(pieces) == "You said: Hi"
    assert len(pieces) > 3
    assert chunks[-1].choices[0].finish_reason == "stop"
    few = await client.chat.completions.create(
        model="avatar", messages=messages, stream=None, max_completion_tokens=2
    )
    assert (few.choices[0].message.content, few.choices[0].finish_reason) == ("You said", "length")


async def test_what_goes_wrong_is_the_error_that_the_client_knows(client: AsyncOpenAI):
    ask: Any = [{"role": "user", "content": "Hi"}]
    with pytest.raises(openai.NotFoundError, match="gpt-9"):
        await client.chat.completions.create(model="gpt-9", messages=ask)
    with pytest.raises(openai.BadRequestError, match="not a recording") as caught:
        await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"hello"))
    assert caught.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="avatar", messages=[])
    assert caught.value.param == "messages"
    with pytest.raises(openai.BadRequestError, match="no voice 'nobody'"):
        await client.audio.speech.create(model="tts-1", voice="nobody", input="Hi")
    with pytest.raises(openai.BadRequestError, match="nothing to say"):
        await client.audio.speech.create(model="tts-1", voice="alloy", input="…")
    with pytest.raises(openai.BadRequestError, match="times of single words"):
        await client.audio.transcriptions.create(
            model="whisper-1",
            file=QUESTION,
            response_format="verbose_json",
            timestamp_granularities=["word"],
        )
    with pytest.raises(openai.BadRequestError, match="response_format"):
        await client.chat.completions.create(
            model="avatar", messages=ask, response_format={"type": "json_object"}
        )
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="avatar", input="Hi")


@pytest.mark.weights
async def test_it_is_so_with_real_engines_too(real: AsyncOpenAI):
    heard = await real.audio.transcriptions.create(model="whisper-1", file=QUESTION)
    assert "mountain" in heard.text.lower()
    said = "The little boat came home before the storm."
    answer = await real.audio.speech.create(
        model="tts-1", voice="alloy", input=said, response_format="flac"
    )
    again = await real.audio.transcriptions.create(
        model="whisper-1", file=("speech", answer.content), language="en"
    )
    assert word_errors(said, again.text)[0] <= 1
    stream = await real.chat.completions.create(
        model="avatar",
        messages=[{"role": "user", "content": "What is the capital of France?"}],
        stream=True,
    )
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 2
