"""The avatars that people may talk to: the owner's, and those that they bring themselves."""

import io
import tempfile
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import BinaryIO, Final

import numpy as np
from anyio import to_thread
from numpy.typing import NDArray
from PIL import Image

from realtime_avatar.dialogue.ensemble import FPS, Ensemble
from realtime_avatar.engines.ports import FaceEngine, Rig
from realtime_avatar.errors import InputError
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.identity.consent import WORDING, Consent, agree
from realtime_avatar.identity.records import Records
from realtime_avatar.media.picture import Frame, rgb
from realtime_avatar.server.decoding import Decoder
from realtime_avatar.thinking.persona import Persona

SIDE: Final = 512
"""Width and height of every avatar's pictures, pixels."""

MAX_BYTES: Final = 20_000_000
"""Of a portrait's file."""

_BROUGHT: Final = 32  # portraits that people brought which are kept
_NAME: Final = 60  # characters
_QUALITY: Final = 90  # of the JPEG that stands for an avatar until its video comes


@dataclass(frozen=True, slots=True)
class Avatar:
    """One that can be talked to.

    Attributes:
        id: Unguessable for one that somebody brought.
        name: What it is called.
        persona: Who it is.
        rig: Its portrait, ready to move.
        picture: JPEG of its first picture.
        sample: sha256 of the portrait that somebody brought; empty for the owner's.
    """

    id: str
    name: str
    persona: Persona
    rig: Rig
    picture: bytes
    sample: str = ""


class Avatars:
    """Keeps them, in memory only.

    One that somebody brought is known by its id alone and in no list, so that nobody else
    finds it; the one not used for longest makes room for a new one. Nothing is shown of it
    without a record that the person in it agreed.

    Args:
        ensemble: Whose face moves them.
        decoder: Reads the portraits that people bring.
    """

    def __init__(self, ensemble: Ensemble, decoder: Decoder) -> None:
        self._ensemble, self._decoder = ensemble, decoder
        self._records = Records(ensemble.settings.people)
        self.own: tuple[Avatar, ...] = ()
        """The owner's, the first being who answers if nobody else is asked for."""
        self._brought: OrderedDict[str, Avatar] = OrderedDict()

    async def load(self) -> None:
        """Enrol the owner's portraits.

        Raises:
            InputError: if one cannot be used.
        """
        settings, ensemble = self._ensemble.settings, self._ensemble
        first = settings.portrait or default_portrait()
        asked = [("default", first, ensemble.persona)]
        for key, persona in ensemble.personas.items():
            asked.append((key, settings.avatars[key].portrait or first, persona))
        made: dict[Path, Avatar] = {}
        own = list[Avatar]()
        for key, path, persona in asked:
            if path not in made:
                portrait = await to_thread.run_sync(read_portrait, path)
                made[path] = await self._enrol(key, persona.name, portrait, persona)
            own.append(replace(made[path], id=key, name=persona.name, persona=persona))
        self.own = tuple(own)

    def get(self, key: str) -> Avatar:
        """Return the one with an id; the first of the owner's for an empty one.

        Raises:
            InputError: if there is none of that id, or no longer.
        """
        for avatar in self.own:
            if key in ("", avatar.id):
                return avatar
        avatar = self._brought.get(key)
        if avatar is not None and not self._records.may_show(avatar.sample):
            del self._brought[key]  # withdrawn, perhaps by the command line
            avatar = None
        if avatar is None:
            raise InputError("that avatar is not known here; please bring its portrait again")
        self._brought.move_to_end(key)
        return avatar

    async def add(self, image: bytes, name: str, consent: Consent) -> Avatar:
        """Enrol a portrait that somebody brought, and keep the record of consent to it.

        Args:
            image: A picture's file.
            name: What to call it; may be empty.
            consent: Of the person in it.

        Raises:
            InputError: if it cannot be used, and why.
            ConsentError: if consent to it was withdrawn since.
        """
        if len(image) > MAX_BYTES:
            raise InputError(f"the picture has more than {MAX_BYTES // 1_000_000} MB")
        with tempfile.TemporaryFile(buffering=0) as file:
            await to_thread.run_sync(file.write, image)
            portrait = await self._decoder.portrait(file)
        name = " ".join(name.split())[:_NAME] or self._ensemble.settings.name
        avatar = await self._enrol(token_urlsafe(12), name, portrait, self._ensemble.persona)
        avatar = replace(avatar, sample=consent.sample)
        await to_thread.run_sync(self._records.agree_to_portrait, name, consent)
        self._brought[avatar.id] = avatar
        while len(self._brought) > _BROUGHT:
            self._brought.popitem(last=False)
        return avatar

    async def passing(self, image: BinaryIO, person: str, now: datetime) -> Rig:
        """Enrol a portrait for one film.

        Args:
            image: A picture's file.
            person: Who is in it, and agreed.
            now: The time of day.

        Raises:
            InputError: as of `add`.
            ConsentError: if nobody agreed.
        """
        image.seek(0)
        data = await to_thread.run_sync(image.read)
        consent = agree("portrait", person, WORDING["portrait"], data, now)
        portrait = await self._decoder.portrait(image)
        await to_thread.run_sync(self._records.agree_to_portrait, consent.person, consent)
        return await (await self._ensemble.face()).enrol(portrait, size=(SIDE, SIDE))

    async def revoke(self, key: str, now: datetime) -> Avatar:
        """Withdraw the consent to a portrait that somebody brought; return what it was.

        Raises:
            InputError: if there is none of that id.
        """
        avatar = self.get(key)
        if not avatar.sample:
            raise InputError("that portrait is the owner's; it stands in the settings")
        for other in [one for one in self._brought.values() if one.sample == avatar.sample]:
            del self._brought[other.id]
        await to_thread.run_sync(self._records.revoke, avatar.sample, now)
        return avatar

    async def _enrol(
        self, key: str, name: str, portrait: NDArray[np.uint8], persona: Persona
    ) -> Avatar:
        engine: FaceEngine = await self._ensemble.face()
        rig = await engine.enrol(portrait, size=(SIDE, SIDE))
        async with engine.open(rig, fps=FPS) as face:
            frame = await face.idle()
        picture = await to_thread.run_sync(_jpeg, frame)
        return Avatar(key, name, persona, rig, picture)


def _jpeg(frame: Frame) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb(frame)).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
