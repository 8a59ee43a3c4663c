"""The conversations that are kept, each for whose it is."""

from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Depends, HTTPException, Query, Response

from realtime_avatar.identity.export import MEDIA, Format, describe, export
from realtime_avatar.identity.store import Store
from realtime_avatar.server.document import like
from realtime_avatar.server.refusals import REFUSALS
from realtime_avatar.server.wishes import Owner, Shared

conversations = APIRouter(prefix="/api/v1/conversations", responses=REFUSALS)

_NOBODY: Final = "whose conversations? Neither a browser's cookie nor an API key came with this"
_MOST: Final = 100  # conversations on a page of the list
_QUERY: Final = 200  # characters of a search
_DEEP: Final = 1_000_000  # how far into a list one may look


async def kept(service: Shared) -> Store:
    """Return the store.

    Raises:
        HTTPException: if there is none.
    """
    if service.journal is None:
        raise HTTPException(404, "this server keeps no conversations")
    return service.journal.store


async def known(owner: Owner) -> str:
    """Return the owner who asks.

    Raises:
        HTTPException: if that is unknown.
    """
    if not owner:
        raise HTTPException(401, _NOBODY)
    return owner


Kept = Annotated[Store, Depends(kept)]
Known = Annotated[str, Depends(known)]


_SUMMARY: Final = {
    "id": "kTqC0aYJ2nq4cVtq",
    "avatar": "default",
    "name": "Ava",
    "language": "",
    "started": "2026-05-04T03:02:01+00:00",
    "updated": "2026-05-04T03:02:09+00:00",
    "count": 1,
    "title": "What is the highest mountain?",
    "excerpt": "",
}


@conversations.get("", responses=like({"items": [_SUMMARY], "total": 1}))
async def list_conversations(
    store: Kept,
    owner: Known,
    q: Annotated[str, Query(max_length=_QUERY)] = "",
    offset: Annotated[int, Query(ge=0, le=_DEEP)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
) -> dict[str, Any]:
    """List your conversations, the latest first; with `q` those in which its words occur."""
    page = await store.list(owner, q, offset=offset, limit=limit)
    return {"items": [describe(item) for item in page.items], "total": page.total}


@conversations.get("/{conversation}")
async def get_conversation(conversation: str, store: Kept, owner: Owner) -> dict[str, Any]:
    """Return one with all its turns."""
    found = await store.get(conversation, owner)
    return await to_thread.run_sync(describe, found)  # it may be long, and somebody be talking


@conversations.get("/{conversation}/export")
async def export_conversation(
    conversation: str,
    store: Kept,
    owner: Owner,
    format: Format = "json",  # noqa: A002 - the name of the parameter in the address
) -> Response:
    """Return one as a file: JSON, Markdown or SRT subtitles."""
    found = await store.get(conversation, owner)
    media, ending = MEDIA[format]
    name = f"conversation-{found.started:%Y-%m-%d}.{ending}"
    disposition = f'attachment; filename="{name}"'
    text = await to_thread.run_sync(export, found, format)
    return Response(text, media_type=media, headers={"Content-Disposition": disposition})


@conversations.delete("/{conversation}", status_code=204)
async def delete_conversation(conversation: str, store: Kept, owner: Owner) -> None:
    """Delete one for good."""
    await store.delete(conversation, owner)


@conversations.delete("", responses=like({"deleted": 3}))
async def delete_conversations(store: Kept, owner: Known) -> dict[str, int]:
    """Delete all of yours for good."""
    return {"deleted": await store.delete_all(owner)}
