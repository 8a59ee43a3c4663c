"""The routes that OpenAI's clients know, with this machine's engines behind them.

What they ask for that is not here (temperatures, tools, a number of answers) is refused if
the result would be another, and passed over if it would only be a little different.
"""

import json
import time
from collections.abc import Awaitable, Callable, Container
from contextlib import aclosing
from secrets import token_hex
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from realtime_avatar.dialogue import requests
from realtime_avatar.dialogue.one_shot import MAX_TEXT, check_text, hear
from realtime_avatar.dialogue.requests import Taste
from realtime_avatar.engines.ports import Message
from realtime_avatar.errors import InputError
from realtime_avatar.media.sound_files import FORMATS
from realtime_avatar.media.subtitles import srt, vtt
from realtime_avatar.server.refusals import REFUSALS, Absent
from realtime_avatar.server.rest import BINARY, HEARING_RATE, recorded, speaking
from realtime_avatar.server.service import Service
from realtime_avatar.server.streamed import Streamed, Write
from realtime_avatar.server.wishes import LanguageField, Recording, Shared, find_voice, taste_of

openai_router = APIRouter(
    prefix="/v1",
    responses={
        400 if status == 422 else status: {"description": about["description"]}
        for status, about in REFUSALS.items()
    },
)

CHAT_MODEL: Final = "avatar"
"""The chat engine of the settings, with the avatar's character unless a system message is sent."""

_SSE: Final = "text/event-stream"

# Names that programs have built in; they mean the engine of the settings.
_HEARING: Final = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
_SPEAKING: Final = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
_VOICES: Final = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
)
_MAX_MESSAGES: Final = 400


class Part(BaseModel):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: str = Field(max_length=MAX_TEXT)


class ChatMessage(BaseModel):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, Field(max_length=MAX_TEXT)] | list[Part]

    def message(self) -> Message:
        """Return it as chats know it."""
        role = "system" if self.role == "developer" else self.role
        parts = [self.content] if isinstance(self.content, str) else [p.text for p in self.content]
        return Message(role, "\n".join(parts))


class ChatRequest(BaseModel):
    """A conversation to go on with."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": CHAT_MODEL, "messages": [{"role": "user", "content": "Hello"}]}]
        }
    )

    model: str = Field(max_length=80)
    messages: list[ChatMessage] = Field(min_length=1, max_length=_MAX_MESSAGES)
    stream: bool = False
    n: int = Field(default=1, ge=1, le=1, description="One answer; more are not given.")
    tools: list[Any] | None = Field(default=None, max_length=0, description="None are called.")


class SpeechRequest(BaseModel):
    """A text to be spoken."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "tts-1", "input": "Hello, I am new here.", "voice": "alloy"}]
        }
    )

    model: str = Field(max_length=80)
    input: str = Field(min_length=1, max_length=MAX_TEXT)
    voice: str = Field(default="alloy", max_length=80, description="Of /api/v1/voices.")
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    stream_format: Literal["audio"] = "audio"
    speed: float = Field(default=1.0, ge=1.0, le=1.0, description="As it is; no other is spoken.")


@openai_router.get("/models")
async def models(service: Shared) -> dict[str, Any]:
    """The engines that are behind these routes."""
    return {"object": "list", "data": [_model(name) for name in _names(service)]}


@openai_router.get("/models/{model}")
async def model(model: str, service: Shared) -> dict[str, Any]:
    """One of them."""
    if model not in _names(service):
        raise _no_model(model)
    return _model(model)


@openai_router.post(
    "/audio/transcriptions",
    responses={200: {"content": {"application/json": {}, "text/plain": {}, _SSE: {}}}},
)
async def transcriptions(
    service: Shared,
    file: Recording,
    model: Annotated[str, Form(max_length=80)],
    language: LanguageField = "",
    response_format: Annotated[Literal["json", "text", "srt", "verbose_json", "vtt"], Form()] = (
        "json"
    ),
    stream: Annotated[bool, Form()] = False,
) -> Response:
    """Write down what is said in a recording."""
    _check(model, {service.settings.recognizer, *_HEARING})
    taste = await taste_of(service, language)
    async with service.admission.place():
        recording = await recorded(service, file, service.settings.longest_recording)
        heard = await hear(service.ensemble, recording, taste.possible(service.ensemble))
    if stream:
        return Streamed(_told(heard.text), _SSE)
    start, end = heard.start / HEARING_RATE, heard.end / HEARING_RATE
    match response_format:
        case "text":
            return PlainTextResponse(heard.text + "\n")
        case "srt":
            return PlainTextResponse(srt([(start, end, heard.text)]))
        case "vtt":
            return PlainTextResponse(vtt([(start, end, heard.text)]))
        case "verbose_json":
            about = {"id": 0, "start": start, "end": end, "text": heard.text}
            return JSONResponse(
                {
                    "task": "transcribe",
                    "language": heard.language,
                    "duration": recording.seconds,
                    "text": heard.text,
                    "segments": [about] if heard.text else [],
                }
            )
        case _:
            return JSONResponse({"text": heard.text})


@openai_router.post(
    "/audio/speech",
    response_class=Response,
    responses={200: {"content": {shape.mime: BINARY for shape in FORMATS.values()}}},
)
async def speech(asked: SpeechRequest, service: Shared) -> Response:
    """Say a text; the sound is sent while it is being spoken."""
    voice = "" if asked.voice in _VOICES else await find_voice(service, asked.voice)
    engines = {name.partition(":")[0] for name in service.settings.voice.values()}
    if asked.model not in engines:
        _check(asked.model, {CHAT_MODEL, *_SPEAKING})
    check_text(asked.input)
    return speaking(service, asked.input, Taste(voice=voice), asked.response_format)


@openai_router.post(
    "/chat/completions", responses={200: {"content": {"application/json": {}, _SSE: {}}}}
)
async def completions(asked: ChatRequest, service: Shared) -> Response:
    """Go on with a conversation."""
    _check(asked.model, {CHAT_MODEL, *service.settings.chats})
    said = [one.message() for one in asked.messages]
    if said[-1].role != "user":
        raise InputError("the last message must be the user's")
    reply = _Completion(asked.model)

    async def think(told: Callable[[str], Awaitable[None]]) -> str:
        text = ""
        async with (
            service.admission.place(),
            aclosing(requests.think(service.ensemble, said, Taste())) as pieces,
        ):
            async for piece in pieces:
                text += piece
                await told(piece)
        return text

    if not asked.stream:
        return JSONResponse(reply.whole(await think(_nothing)))

    async def make(write: Write) -> None:
        await think(lambda piece: write(_data(reply.piece({"content": piece}))))
        await write(_data(reply.piece({}, "stop")) + b"data: [DONE]\n\n")

    return Streamed(make, _SSE)


class _Completion:
    """One answer in OpenAI's shapes."""

    def __init__(self, model: str, clock: Callable[[], float] = time.time) -> None:
        self._about = {"id": f"chatcmpl-{token_hex(12)}", "created": int(clock()), "model": model}

    def whole(self, text: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": text.strip(), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return {**self._about, "object": "chat.completion", "choices": [choice]}

    def piece(self, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
        return {**self._about, "object": "chat.completion.chunk", "choices": [choice]}


def _names(service: Service) -> list[str]:
    settings = service.settings
    voices = [name.partition(":")[0] for name in settings.voice.values()]
    return list(dict.fromkeys([CHAT_MODEL, *settings.chats, settings.recognizer, *voices]))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "realtime-avatar"}


def _check(model: str, known: Container[str]) -> None:
    if model not in known:
        raise _no_model(model)


def _no_model(model: str) -> Absent:
    return Absent(f"the model {model!r} is not here; GET /v1/models lists those that are")


def _told(text: str) -> Callable[[Write], Awaitable[None]]:
    async def make(write: Write) -> None:
        if text:
            await write(_data({"type": "transcript.text.delta", "delta": text}))
        await write(_data({"type": "transcript.text.done", "text": text}))

    return make


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


async def _nothing(_: str) -> None:
    pass
