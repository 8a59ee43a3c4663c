"""The routes of people's voices, and of what their owners agreed to."""

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends

from realtime_avatar.identity.consent import SPOKEN, WORDING
from realtime_avatar.server.enrolments import Brought, Enrolments
from realtime_avatar.server.refusals import REFUSALS
from realtime_avatar.server.wishes import Shared as Asked

router = APIRouter(prefix="/api/v1", responses=REFUSALS)


def enrolments_of(service: Asked) -> Enrolments:
    """Return the enrolments of the service that is asked."""
    return service.enrolments


Shared = Annotated[Enrolments, Depends(enrolments_of)]


@router.get("/people")
async def people(enrolments: Shared) -> dict[str, Any]:
    """The enrolled voices, and the words that the owner of one agrees to."""
    return {"voices": await enrolments.list(), "wording": WORDING["voice"], "spoken": SPOKEN}


@router.post("/voices", status_code=201)
async def bring_voice(brought: Brought, enrolments: Shared) -> dict[str, Any]:
    """Learn a voice: it can be used at once, and becomes more alike in the next minutes."""
    return await enrolments.add(brought)


@router.delete("/voices/{name}", status_code=204)
async def revoke_voice(name: str, enrolments: Shared) -> None:
    """Withdraw consent: delete a voice."""
    await enrolments.revoke(name)


@router.delete("/voices/{name}/refinement", status_code=204)
async def stop_refining(name: str, enrolments: Shared) -> None:
    """Be content with a voice as it is; one that is not being refined is no error."""
    enrolments.stop(name)


@router.get("/people/{name}/consent")
async def consent(name: str, enrolments: Shared) -> dict[str, Any]:
    """The record of consent to a voice."""
    return await to_thread.run_sync(enrolments.records.get, name)
