"""The voices that people bring to a server: checked, guessed, refined while nobody talks."""

from contextlib import aclosing
from functools import partial
from tempfile import TemporaryFile
from typing import Any, Final

import structlog
from anyio import CancelScope, to_thread
from anyio.abc import TaskGroup
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from realtime_avatar.dialogue.enrolment import MAX_SECONDS, RATE, Enrolment
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.errors import AvatarError, CapacityError, InputError
from realtime_avatar.identity.consent import agree
from realtime_avatar.identity.records import Records
from realtime_avatar.identity.voices import EnrolledVoice
from realtime_avatar.media import Audio
from realtime_avatar.media.credentials import Clock, now
from realtime_avatar.server.calls import Calls
from realtime_avatar.server.decoding import Decoder

MOST: Final = 100
"""Voices that are kept."""


class Brought(BaseModel):
    """A recording, and that the owner of the voice in it agreed."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    person: str = Field(max_length=200)
    words: str = Field(max_length=2000)
    agreed: str = Field(default="", max_length=40)
    recording: Base64Bytes
    spoken: Base64Bytes | None = None


class Enrolments:
    """The enrolments of one server: one at a time, refined while nobody talks.

    Args:
        ensemble: The engines.
        decoder: Reads the recordings.
        calls: The conversations, which go first.
        tasks: What refining lives in.
        clock: The time of day.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        decoder: Decoder,
        calls: Calls,
        tasks: TaskGroup,
        clock: Clock = now,
    ) -> None:
        self._ensemble, self._decoder = ensemble, decoder
        self._calls, self._tasks, self._clock = calls, tasks, clock
        self._busy = False
        self._scope: CancelScope | None = None
        self._refining = ""
        self._share = 0.0
        self.records = Records(ensemble.settings.people)

    async def list(self) -> list[dict[str, Any]]:
        """Return what can be told of each voice, with how far its refining is."""
        found = await to_thread.run_sync(self.records.all)
        return [
            {**voice, "refining": self._share if voice["name"] == self._refining else None}
            for voice in found
            if voice["kind"] == "voice"
        ]

    async def add(self, brought: Brought) -> dict[str, Any]:
        """Keep a voice at a first guess, and begin to refine it.

        Raises:
            CapacityError: if another one is being enrolled.
            ConsentError: if nobody agreed.
            InputError: if the recording is of no use, and what to do.
        """
        if self._busy:
            raise CapacityError("another voice is being learned; please try again soon", 10)
        self._busy = True
        try:
            agreed = agree(
                "voice", brought.person, brought.words, brought.recording, self._clock(),
                brought.agreed,
            )  # fmt: skip
            if len(self._ensemble.people.names()) >= MOST:
                raise InputError(f"there are {MOST} voices already; delete one first")
            self.stop()
            sample = await self._read(brought.recording)
            spoken = await self._read(brought.spoken) if brought.spoken else None
            enrolment = Enrolment(self._ensemble, brought.name, sample, agreed, spoken)
            voice: EnrolledVoice | None = None
            remarks: tuple[str, ...] = ()
            async with aclosing(enrolment.guess()) as steps:
                async for step in steps:
                    voice, remarks = step.voice or voice, step.remarks or remarks
            assert voice is not None
            self._refining, self._share = voice.name, 0.0
            self._tasks.start_soon(self._refine, enrolment)
        finally:
            self._busy = False
        return {**voice.about(), "remarks": remarks, "refining": 0.0}

    def stop(self, name: str = "") -> None:
        """Leave the voice that is being refined as it is; if a name is given, only that one."""
        if name and name.casefold() != self._refining.casefold():
            return
        if self._scope is not None:
            self._scope.cancel()
        self._refining = ""

    async def revoke(self, name: str) -> None:
        """Delete a voice; conversations that use it go on with another one.

        Raises:
            InputError: if there is none.
        """
        self.stop(name)
        await to_thread.run_sync(partial(self.records.revoke, name, self._clock()))

    async def _read(self, recording: bytes) -> Audio:
        with TemporaryFile(buffering=0) as file:
            await to_thread.run_sync(file.write, recording)
            return await self._decoder.audio(file, rate=RATE, longest=MAX_SECONDS)

    async def _refine(self, enrolment: Enrolment) -> None:
        log = structlog.stdlib.get_logger("realtime_avatar")
        try:
            with CancelScope() as self._scope:
                async with aclosing(enrolment.refine()) as steps:
                    async for step in steps:
                        self._share = step.share
                        await self._calls.quiet()
        except AvatarError as error:  # the guess stays
            log.warning("a voice could not be refined", reason=str(error))
        finally:
            if self._refining == enrolment.name:
                self._refining = ""
