"""Every capability by itself, for programs: `docs/http.md` shows each with curl."""

import base64
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel

from realtime_avatar.dialogue import requests
from realtime_avatar.dialogue.ensemble import FPS
from realtime_avatar.dialogue.one_shot import MAX_QUESTION, check_text, hear
from realtime_avatar.engines.ports import Message, Rig, Transcript
from realtime_avatar.errors import AvatarError, InputError
from realtime_avatar.media import Audio
from realtime_avatar.media.credentials import now
from realtime_avatar.media.film import FilePlayout, Piece, PiecesPlayout
from realtime_avatar.media.sound_files import FORMATS, SoundEncoder
from realtime_avatar.server.accept import preferred
from realtime_avatar.server.refusals import REFUSALS, Absent, status_of
from realtime_avatar.server.rest_shapes import (
    AnswerLink,
    Asked,
    AvatarInfo,
    FilmLink,
    Heard,
    Reply,
    Script,
    Speech,
    VoiceInfo,
)
from realtime_avatar.server.service import Service, describe
from realtime_avatar.server.streamed import Events, Made, Streamed, Write, event_of, telling
from realtime_avatar.server.wishes import (
    AvatarField,
    HistoryField,
    LanguageField,
    Recording,
    Shared,
    VoiceField,
    history_of,
    taste_of,
)

rest_router = APIRouter(prefix="/api/v1", responses=REFUSALS)

HEARING_RATE: Final = 16_000
_FILM_RATE: Final = 48_000
_MP4: Final = "video/mp4"
_JSON: Final = "application/json"
_SSE: Final = "text/event-stream"
BINARY: Final = {"schema": {"type": "string", "format": "binary"}}


@rest_router.get("/avatars")
async def avatars(service: Shared) -> list[AvatarInfo]:
    """The owner's avatars, who answers by default first."""
    return [AvatarInfo(**describe(avatar)) for avatar in service.avatars.own]


@rest_router.get("/voices")
async def voices(service: Shared) -> list[VoiceInfo]:
    """The voices."""
    return [VoiceInfo(**voice) for voice in await service.voices()]


@rest_router.post("/transcribe", response_model=Heard)
async def transcribe(service: Shared, audio: Recording, language: LanguageField = "") -> Response:
    """Write down what is said in a recording."""
    taste = await taste_of(service, language)

    async def make() -> Response:
        async with service.admission.place():
            recording = await recorded(service, audio, service.settings.longest_recording)
            heard = await hear(service.ensemble, recording, taste.possible(service.ensemble))
        return _json(_heard(heard))

    return Made(make)


@rest_router.post("/chat", response_model=Reply, responses={200: {"content": {_SSE: {}}}})
async def chat(request: Request, asked: Asked, service: Shared) -> Response:
    """Answer a message in writing: JSON, or events `reply` and `complete` by Accept."""
    taste = await taste_of(service, asked.language, "", asked.history, asked.avatar)
    said = [*taste.history, Message("user", asked.text)]

    async def think(told: Callable[[str], Awaitable[None]]) -> Reply:
        text = ""
        async with (
            service.admission.place(),
            aclosing(requests.think(service.ensemble, said, taste)) as reply,
        ):
            async for piece in reply:
                text += piece
                await told(piece)
        return Reply(text=text.strip())

    async def make() -> Response:
        return _json(await think(_nothing))

    async def tell(events: Events) -> None:
        reply = await think(lambda piece: events.tell("reply", {"text": piece}))
        await events.tell("complete", reply.model_dump())

    return Made(make) if preferred(request, (_JSON, _SSE)) == _JSON else _events(tell)


@rest_router.post(
    "/speak",
    response_class=Response,
    responses={200: {"content": {shape.mime: BINARY for shape in FORMATS.values()}}},
)
async def speak(speech: Speech, service: Shared) -> Response:
    """Say a text; the sound is sent while it is being spoken."""
    taste = await speech.taste(service)
    check_text(speech.text)
    return speaking(service, speech.text, taste, speech.format)


def speaking(service: Service, text: str, taste: requests.Taste, format_: str) -> Response:
    """Return the answer that is a text spoken."""

    async def make(write: Write) -> None:
        async with (
            service.admission.place(),
            aclosing(requests.speak(service.ensemble, text, taste)) as speech,
        ):
            encoder = SoundEncoder(format_)
            try:
                async for audio in speech:
                    if data := await to_thread.run_sync(encoder.encode, audio):
                        await write(data)
                await write(await to_thread.run_sync(encoder.finish))
            finally:
                encoder.close()

    return Streamed(make, FORMATS[format_].mime)


@rest_router.post("/animate", response_model=FilmLink, responses={200: {"content": {_MP4: BINARY}}})
async def animate(
    request: Request,
    service: Shared,
    audio: Recording,
    portrait: Annotated[
        UploadFile | None, File(description="A picture; by default the avatar's.")
    ] = None,
    person: Annotated[
        str,
        Form(max_length=200, description="Who is in the portrait, and agreed: see /options."),
    ] = "",
    avatar: AvatarField = "",
) -> Response:
    """Make a portrait say a recording: JSON with the film's address, or MP4, by Accept."""
    kind = preferred(request, (_JSON, _MP4))
    if portrait is not None and portrait.filename and not portrait.size:
        raise InputError("the portrait is an empty file")

    async def make() -> Response:
        async with service.admission.place():
            longest = service.settings.longest_recording
            speech = await recorded(service, audio, longest, _FILM_RATE)
            if portrait is None or not portrait.size:
                rig = service.avatars.get(avatar).rig
            else:
                rig = await service.avatars.passing(portrait.file, person, now())
            film = _Film(service)
            async with film.playout:
                await requests.show(service.ensemble, rig, speech, film.playout)
            return film.answer(kind, FilmLink(**film.link))

    return Made(make)


@rest_router.post(
    "/generate", response_model=FilmLink, responses={200: {"content": {_MP4: BINARY}}}
)
async def generate(request: Request, script: Script, service: Shared) -> Response:
    """Say a text on video: JSON with the film's address, or MP4, by Accept."""
    kind = preferred(request, (_JSON, _MP4))
    taste, rig = await script.taste(service), service.avatars.get(script.avatar).rig
    check_text(script.text)

    async def make() -> Response:
        async with service.admission.place():
            film = _Film(service)
            async with film.playout:
                await requests.say(service.ensemble, rig, script.text, taste, film.playout)
            return film.answer(kind, FilmLink(**film.link))

    return Made(make)


@rest_router.post(
    "/conversation", response_model=AnswerLink, responses={200: {"content": {_MP4: BINARY}}}
)
async def conversation(
    request: Request,
    service: Shared,
    audio: Recording,
    avatar: AvatarField = "",
    language: LanguageField = "",
    voice: VoiceField = "",
    history: HistoryField = "",
) -> Response:
    """Answer a recorded question on video: JSON with the film's address, or MP4, by Accept."""
    kind = preferred(request, (_JSON, _MP4))
    taste = await taste_of(service, language, voice, history_of(history), avatar)
    rig = service.avatars.get(avatar).rig

    async def make() -> Response:
        async with service.admission.place():
            question = await recorded(service, audio, MAX_QUESTION)
            film = _Film(service)
            async with film.playout:
                answer = await requests.answer(service.ensemble, rig, question, taste, film.playout)
            question = _heard(answer.question)
            link = AnswerLink(**film.link, question=question, answer=answer.text)
            return film.answer(kind, link)

    return Made(make)


@rest_router.post("/conversation/stream", responses={200: {"content": {_SSE: {}}}})
async def stream_conversation(
    service: Shared,
    audio: Recording,
    avatar: AvatarField = "",
    language: LanguageField = "",
    voice: VoiceField = "",
    history: HistoryField = "",
) -> Response:
    """Answer a recorded question on video, in server-sent events, each with JSON.

    `transcription` (text, language); `reply` (text: the next piece of the answer); `video`
    (index, start, end, text, mime, data: the next piece of a fragmented MP4, in base64; piece 0
    has no pictures yet; all of them joined are a film); `complete` (question, answer, seconds);
    `error` (error: a sentence).
    """
    taste = await taste_of(service, language, voice, history_of(history), avatar)
    rig = service.avatars.get(avatar).rig

    async def make(events: Events) -> None:
        async with service.admission.place():
            question = await recorded(service, audio, MAX_QUESTION)
            await _answer_in_pieces(service, events, rig, question, taste)

    return _events(make)


async def _answer_in_pieces(
    service: Service, events: Events, rig: Rig, question: Audio, taste: requests.Taste
) -> None:
    async def show(piece: Piece) -> None:
        data = await to_thread.run_sync(base64.b64encode, piece.data)
        about = {name: getattr(piece, name) for name in ("index", "start", "end", "text", "mime")}
        await events.tell("video", {**about, "data": data.decode()})

    playout = PiecesPlayout(show, FPS)
    answer = await requests.answer(
        service.ensemble,
        rig,
        question,
        taste,
        playout,
        heard=lambda heard: events.tell("transcription", _heard(heard).model_dump()),
        told=lambda piece: events.tell("reply", {"text": piece}),
    )
    heard = _heard(answer.question).model_dump()
    about = {"question": heard, "answer": answer.text, "seconds": playout.seconds}
    await events.tell("complete", about)


@rest_router.head("/videos/{video}", response_class=FileResponse, operation_id="film_head")
@rest_router.get(
    "/videos/{video}",
    response_class=FileResponse,
    responses={
        200: {"content": {_MP4: BINARY}},
        206: {"content": {_MP4: BINARY}, "description": "The range that was asked for."},
        416: {"description": "No such range."},
    },
)
async def film(video: str, service: Shared) -> Response:
    """A film that was made, whole or by ranges, for an hour."""
    path = service.films.find(video)
    if path is None:
        raise Absent("there is no such film, or no longer")
    return FileResponse(path, media_type=_MP4)


class _Film:
    """A film that is being made for somebody."""

    def __init__(self, service: Service) -> None:
        self._films = service.films
        self._id, self._path = service.films.place()
        self.playout = FilePlayout(self._path, FPS)

    @property
    def address(self) -> str:
        return f"/api/v1/videos/{self._id}"

    @property
    def link(self) -> dict[str, Any]:
        return {"video": self.address, "seconds": self.playout.seconds}

    def answer(self, kind: str, link: BaseModel) -> Response:
        """Keep it; return it, or where it is."""
        self._films.keep(self._id)
        if kind == _JSON:
            return _json(link)
        return FileResponse(self._path, media_type=_MP4, headers={"Content-Location": self.address})


def _events(make: Callable[[Events], Awaitable[None]]) -> Response:
    """Return an answer of events; what fails after the first of them is an event too."""

    def told(error: AvatarError) -> bytes:
        about: dict[str, Any] = {"error": str(error)}
        _, wait = status_of(error)
        return event_of("error", about | ({"retry_after": wait} if wait else {}))

    written = telling(lambda write: make(Events(write)), told)
    return Streamed(written, _SSE, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def recorded(
    service: Service, audio: UploadFile, longest: float, rate: int = HEARING_RATE
) -> Audio:
    """Read a recording that was sent.

    Args:
        service: Has it read.
        audio: As sent.
        longest: Seconds that are accepted.
        rate: Wanted, Hz.

    Raises:
        InputError: if it is no good.
    """
    return await service.decoder.audio(audio.file, rate=rate, longest=longest)


def _heard(transcript: Transcript) -> Heard:
    return Heard(text=transcript.text, language=transcript.language)


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type=_JSON)


async def _nothing(_: str) -> None:
    pass
