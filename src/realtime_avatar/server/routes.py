"""The HTTP routes that the page uses; all errors are {"error": sentence}."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection

from realtime_avatar.dialogue import events
from realtime_avatar.engines.ports import Message
from realtime_avatar.errors import InputError
from realtime_avatar.server.avatars import MAX_BYTES
from realtime_avatar.server.calls import Order
from realtime_avatar.server.rtc import RtcLine
from realtime_avatar.server.service import Service, describe

router = APIRouter(prefix="/api/v1")


def service_of(connection: HTTPConnection) -> Service:
    """Return the service of the app that is asked."""
    return connection.app.state.service


Shared = Annotated[Service, Depends(service_of)]


class Said(BaseModel):
    """One message of an earlier conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    text: str = Field(max_length=5000)


class Wish(BaseModel):
    """Whom a person wants to talk to, and how."""

    model_config = ConfigDict(extra="forbid")

    avatar: str = Field(default="", max_length=64)
    language: str = Field(default="", max_length=8)
    voice: str = Field(default="", max_length=80)
    history: list[Said] = Field(default=[], max_length=200)

    def order(self, service: Service) -> Order:
        """Return it as calls understand it.

        Raises:
            InputError: if there is no such avatar or language.
        """
        possible = service.settings.voice
        if self.language and self.language not in possible:
            raise InputError(
                f"nobody here speaks {self.language!r}; known are: {', '.join(possible)}"
            )
        avatar = service.avatars.get(self.avatar)
        history = tuple(Message(said.role, said.text) for said in self.history)
        return Order(avatar.rig, self.language, self.voice, history)


class Offer(Wish):
    """A WebRTC offer."""

    type: Literal["offer"]
    sdp: str = Field(min_length=1, max_length=100_000)


@router.get("/options")
async def options(service: Shared) -> dict[str, Any]:
    """What a person can choose."""
    return await service.options()


@router.post("/sessions", status_code=201)
async def open_session(offer: Offer, service: Shared) -> dict[str, Any]:
    """Open a session over WebRTC."""
    line = RtcLine(offer.sdp, service.settings)
    call = await service.tasks.start(service.calls.run, offer.order(service), line)
    return {"id": call.session.id, "sdp": line.answer, "type": "answer"}


@router.delete("/sessions/{session}", status_code=204)
async def close_session(session: str, service: Shared) -> None:
    """End a session; one that has ended already is no error."""
    service.calls.hang_up(session)


@router.post("/avatars", status_code=201)
async def bring_avatar(request: Request, service: Shared, name: str = "") -> dict[str, Any]:
    """Make a portrait into an avatar."""
    if not request.headers.get("content-type", "").startswith("image/"):
        raise InputError("the portrait must be a picture, say a JPEG or a PNG")
    image = bytearray()
    async for part in request.stream():
        image += part
        if len(image) > MAX_BYTES:
            raise InputError(f"the picture has more than {MAX_BYTES // 1_000_000} MB")
    avatar = await service.avatars.add(bytes(image), name)
    return {**describe(avatar), "warnings": avatar.rig.remarks}


@router.get("/avatars/{avatar}/picture")
async def picture(avatar: str, service: Shared) -> Response:
    """The first picture of an avatar."""
    return Response(service.avatars.get(avatar).picture, media_type="image/jpeg")


@router.get("/events.schema.json")
async def events_schema() -> dict[str, Any]:
    """The schema of the messages that session and page exchange."""
    return events.schema()
