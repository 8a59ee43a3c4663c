"""The HTTP routes that the page uses; all errors are {"error": sentence}."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from realtime_avatar.dialogue import events
from realtime_avatar.errors import InputError
from realtime_avatar.identity.consent import WORDING, agree
from realtime_avatar.media.credentials import now
from realtime_avatar.server.avatars import MAX_BYTES
from realtime_avatar.server.owner import ensure_owner
from realtime_avatar.server.refusals import REFUSALS
from realtime_avatar.server.rtc import RtcLine
from realtime_avatar.server.service import describe
from realtime_avatar.server.wishes import Owner, Shared, Wish

router = APIRouter(prefix="/api/v1", responses=REFUSALS)


class Offer(Wish):
    """A WebRTC offer."""

    type: Literal["offer"]
    sdp: str = Field(min_length=1, max_length=100_000)


@router.get("/options")
async def options(request: Request, response: Response, service: Shared) -> dict[str, Any]:
    """What a person can choose; a browser is given its token."""
    if service.journal is not None:
        ensure_owner(request, response)
    return await service.options()


@router.post("/sessions", status_code=201)
async def open_session(offer: Offer, service: Shared, owner: Owner) -> dict[str, Any]:
    """Open a session over WebRTC; with a conversation's id that goes on."""
    line = RtcLine(offer.sdp, service.settings)
    order = await offer.order(service, owner)
    call = await service.tasks.start(service.calls.run, order, line)
    return {
        "id": call.session.id,
        "conversation": order.record.id,
        "sdp": line.answer,
        "type": "answer",
    }


@router.delete("/sessions/{session}", status_code=204)
async def close_session(session: str, service: Shared) -> None:
    """End a session; one that has ended already is no error."""
    service.calls.hang_up(session)


@router.post("/avatars", status_code=201)
async def bring_avatar(
    request: Request, service: Shared, name: str = "", person: str = "", agreed: str = ""
) -> dict[str, Any]:
    """Make a portrait into an avatar.

    `person` is who is in it, and has agreed to the words in `options`; `agreed` is when, ISO
    8601, where that was not just now.
    """
    if not request.headers.get("content-type", "").startswith("image/"):
        raise InputError("the portrait must be a picture, say a JPEG or a PNG")
    image = bytearray()
    async for part in request.stream():
        image += part
        if len(image) > MAX_BYTES:
            raise InputError(f"the picture has more than {MAX_BYTES // 1_000_000} MB")
    consent = agree("portrait", person, WORDING["portrait"], bytes(image), now(), agreed)
    avatar = await service.avatars.add(bytes(image), name, consent)
    return {**describe(avatar), "warnings": avatar.rig.remarks}


@router.delete("/avatars/{avatar}", status_code=204)
async def revoke_avatar(avatar: str, service: Shared) -> None:
    """Withdraw the consent to a portrait: it is forgotten, and its conversations end."""
    gone = await service.avatars.revoke(avatar, now())
    service.calls.withdraw(gone.rig)


@router.get("/avatars/{avatar}/picture")
async def picture(avatar: str, service: Shared) -> Response:
    """The first picture of an avatar."""
    return Response(service.avatars.get(avatar).picture, media_type="image/jpeg")


@router.get("/events.schema.json")
async def events_schema() -> dict[str, Any]:
    """The schema of the messages that session and page exchange."""
    return events.schema()
