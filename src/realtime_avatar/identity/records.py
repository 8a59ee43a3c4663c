"""All records of consent on this machine: of voices, in their files, and of portraits.

Portraits that people bring are kept by their browser; the server keeps the record, one file
`portraits/<sha256>.json` for each picture. A record that was revoked stays as the moment of
that, without a name, so that the same picture is refused until somebody agrees anew.
"""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from realtime_avatar.errors import ConsentError, InputError
from realtime_avatar.identity.consent import Consent
from realtime_avatar.identity.voices import Voices, people_folder


class Records:
    """What people agreed to. Blocking: run it in a worker thread.

    Args:
        people: Folder of all that belongs to people; by default in the user's data.
    """

    def __init__(self, people: Path | None = None) -> None:
        self.voices = Voices(people)
        self.folder = people_folder(people) / "portraits"

    def all(self) -> list[dict[str, Any]]:
        """Return all records, voices first; those that cannot be read are left out."""
        found: list[dict[str, Any]] = []
        for name in self.voices.names():
            try:
                found.append({"kind": "voice", **self.voices.load(name).about()})
            except (InputError, ConsentError):
                continue
        for file in sorted(self.folder.glob("*.json")):
            record = _read(file)
            if record and "consent" in record:
                found.append({"kind": "portrait", **record})
        return found

    def get(self, name: str) -> dict[str, Any]:
        """Return the record of a voice, or of a portrait by its sha256 or the start of that.

        Raises:
            InputError: if there is none.
        """
        for record in self.all():
            if _is(record, name):
                return record
        raise InputError(f"there is no record of {name!r}; avatar consent list shows all")

    def agree_to_portrait(self, name: str, consent: Consent) -> None:
        """Keep the record of a portrait.

        Raises:
            ConsentError: if consent to this picture was revoked since.
            InputError: if the record cannot be written.
        """
        file = self.folder / f"{consent.sample}.json"
        revoked = str((_read(file) or {}).get("revoked", ""))
        if revoked and datetime.fromisoformat(revoked) >= datetime.fromisoformat(consent.when):
            raise ConsentError("consent to this portrait was withdrawn; it may be given anew")
        self._write(file, {"name": name, "consent": consent.as_dict()})

    def may_show(self, picture: str) -> bool:
        """Tell whether there is consent to a portrait. `picture`: its sha256."""
        return "consent" in (_read(self.folder / f"{picture}.json") or {})

    def revoke(self, name: str, now: datetime) -> dict[str, Any]:
        """Delete a voice or a portrait's record; return the record as it was.

        Raises:
            InputError: if there is none.
        """
        record = self.get(name)
        if record["kind"] == "voice":
            self.voices.remove(record["name"])
        else:
            file = self.folder / f"{record['consent']['sample']}.json"
            self._write(file, {"revoked": now.isoformat(timespec="seconds")})
        return record

    def _write(self, file: Path, record: dict[str, Any]) -> None:
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_text(json.dumps(record, ensure_ascii=False, indent=1), "utf-8")
            part.chmod(0o600)
            part.replace(file)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise InputError(f"cannot write {file}: {error.strerror}") from error


def _read(file: Path) -> dict[str, Any] | None:
    try:
        record: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _is(record: dict[str, Any], name: str) -> bool:
    if record["kind"] == "voice":
        return record["name"].casefold() == name.casefold()
    return len(name) >= 8 and record["consent"]["sample"].startswith(name.lower())
