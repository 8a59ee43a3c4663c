"""The routes that OpenAI's clients know, with this machine's engines behind them.

What they ask for that is not here (temperatures, tools, a number of answers, JSON) is refused
if the result would be another, and passed over if it would only be a little different.
"""

import json
from collections.abc import Awaitable, Callable, Container, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from realtime_avatar.dialogue import requests
from realtime_avatar.dialogue.one_shot import check_text, hear
from realtime_avatar.dialogue.requests import Taste
from realtime_avatar.engines.ports import Message, Transcript
from realtime_avatar.errors import AvatarError, ChatError, InputError
from realtime_avatar.media.sound_files import FORMATS
from realtime_avatar.media.subtitles import srt, vtt
from realtime_avatar.server.captions import captions
from realtime_avatar.server.document import like
from realtime_avatar.server.openai_shapes import (
    CHAT_MODEL,
    ChatRequest,
    Completion,
    Ending,
    Finish,
    SpeechRequest,
)
from realtime_avatar.server.refusals import REFUSALS, Absent, openai_error, status_of
from realtime_avatar.server.rest import BINARY, HEARING_RATE, recorded, speaking
from realtime_avatar.server.service import Service
from realtime_avatar.server.streamed import Made, Streamed, Write, telling
from realtime_avatar.server.wishes import LanguageField, Recording, Shared, find_voice, taste_of
from realtime_avatar.thinking.apology import SENTENCES

openai_router = APIRouter(
    prefix="/v1",
    responses={
        400 if status == 422 else status: {"description": about["description"]}
        for status, about in REFUSALS.items()
    },
)

_SSE: Final = "text/event-stream"

# Names that programs have built in; they mean the engine of the settings, unless a voice here
# is called so.
_HEARING: Final = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
_SPEAKING: Final = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
_VOICES: Final = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "realtime-avatar"}


@openai_router.get(
    "/models", responses=like({"object": "list", "data": [_model(CHAT_MODEL), _model("whisper")]})
)
async def models(service: Shared) -> dict[str, Any]:
    """The engines that are behind these routes."""
    return {"object": "list", "data": [_model(name) for name in _names(service)]}


@openai_router.get("/models/{model}", responses=like(_model(CHAT_MODEL)))
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
    model: Annotated[str, Form(max_length=80, examples=["whisper-1"])],
    language: LanguageField = "",
    response_format: Annotated[Literal["json", "text", "srt", "verbose_json", "vtt"], Form()] = (
        "json"
    ),
    stream: Annotated[bool, Form()] = False,
    granularities: Annotated[
        list[Literal["segment", "word"]] | None,
        Form(alias="timestamp_granularities[]", max_length=2, description="Segments alone."),
    ] = None,
) -> Response:
    """Write down what is said in a recording."""
    _check(model, {service.settings.recognizer, *_HEARING})
    if "word" in (granularities or ()):
        raise InputError("the times of single words are not known here, only those of segments")
    taste = await taste_of(service, language)

    async def make() -> Response:
        async with service.admission.place():
            recording = await recorded(service, file, service.settings.longest_recording)
            heard = await hear(service.ensemble, recording, taste.possible(service.ensemble))
        return _written(heard, recording.seconds, "stream" if stream else response_format)

    return Made(make)


def _written(heard: Transcript, seconds: float, form: str) -> Response:
    """Return what was heard in a recording of some seconds, in one of the forms."""
    lines = captions(heard, HEARING_RATE)
    match form:
        case "stream":
            return Streamed(_told(heard.text), _SSE)
        case "text":
            return PlainTextResponse(heard.text + "\n")
        case "srt":
            return PlainTextResponse(srt(lines))
        case "vtt":
            return PlainTextResponse(vtt(lines))
        case "verbose_json":
            segments = [
                {"id": number, "start": start, "end": end, "text": text}
                for number, (start, end, text) in enumerate(lines)
            ]
            about = {"language": heard.language, "duration": seconds, "text": heard.text}
            return JSONResponse({"task": "transcribe", **about, "segments": segments})
        case _:
            return JSONResponse({"text": heard.text})


@openai_router.post(
    "/audio/speech",
    response_class=Response,
    responses={200: {"content": {shape.mime: BINARY for shape in FORMATS.values()}}},
)
async def speech(asked: SpeechRequest, service: Shared) -> Response:
    """Say a text; the sound is sent while it is being spoken."""
    try:
        voice = await find_voice(service, asked.voice)
    except InputError:
        if asked.voice not in _VOICES:
            raise
        voice = ""
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
    reply = Completion(asked.model)

    async def think(told: Callable[[str], Awaitable[None]]) -> Finish:
        async with service.admission.place():
            return await _think(service, said, asked.ending(), told)

    async def make() -> Response:
        pieces: list[str] = []

        async def keep(piece: str) -> None:
            pieces.append(piece)

        finish = await think(keep)
        return JSONResponse(reply.whole("".join(pieces), finish))

    async def write_all(write: Write) -> None:
        finish = await think(lambda piece: write(_data(reply.piece({"content": piece}))))
        await write(_data(reply.piece({}, finish)) + b"data: [DONE]\n\n")

    return Streamed(telling(write_all, _failed), _SSE) if asked.stream else Made(make)


async def _think(
    service: Service,
    said: Sequence[Message],
    ending: Ending,
    told: Callable[[str], Awaitable[None]],
) -> Finish:
    """Have a reply told piece by piece; return why it has ended.

    In place of one that is refused the avatar says so.
    """
    begun = False
    try:
        async with aclosing(requests.think(service.ensemble, said, Taste())) as pieces:
            async for piece in pieces:
                if text := ending.push(piece):
                    begun = True
                    await told(text)
                if ending.reached:
                    return ending.reached
    except ChatError as error:
        if error.reason != "blocked":
            raise
        if not begun:
            language = Taste().of(said[-1].text, service.ensemble)
            await told(SENTENCES.get(language, SENTENCES["en"])["blocked"])
        return "content_filter"
    if text := ending.rest():
        await told(text)
    return ending.reached or "stop"


def _failed(error: AvatarError) -> bytes:
    """Return the event that ends a stream, as OpenAI's clients know it."""
    return _data(openai_error(status_of(error)[0], str(error)))


def _names(service: Service) -> list[str]:
    settings = service.settings
    voices = [name.partition(":")[0] for name in settings.voice.values()]
    return list(dict.fromkeys([CHAT_MODEL, *settings.chats, settings.recognizer, *voices]))


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
