"""Enrolled voices: one file each, with all that belongs to it, versioned.

A zip archive of `voice.json` (who, which engine, the consent, how alike it is) and the arrays
`style.npy`, what the engine speaks with, and `embedding.npy`, whose voice it is. The consent is
in the file itself, so that a voice cannot be had without it. The sample is not kept.
"""

import io
import json
import os
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import platformdirs
from numpy.typing import NDArray

from realtime_avatar.engines import registry
from realtime_avatar.engines.ports import Speaker
from realtime_avatar.errors import ConsentError, InputError
from realtime_avatar.identity.consent import LONGEST, Consent
from realtime_avatar.media.archive import read_about, read_part

FORMAT: Final = "realtime-avatar voice"
VERSION: Final = 1
SUFFIX: Final = ".voice"

_LARGEST: Final = 10_000_000  # bytes of a part, unpacked


@dataclass(frozen=True, slots=True)
class EnrolledVoice:
    """A person's voice.

    Attributes:
        name: What it is called and asked for by.
        engine: Which engine speaks with it.
        consent: Of its owner.
        style: What the engine needs, float32.
        embedding: Whose voice it is, float32, a unit vector.
        refined: Whether it is more than the first guess.
        figures: What was measured when it was made, by name.
    """

    name: str
    engine: str
    consent: Consent
    style: NDArray[np.float32]
    embedding: NDArray[np.float32]
    refined: bool = False
    figures: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def speaker(self) -> Speaker:
        """As the engine's `open` takes it."""
        return Speaker(self.name, self.style)

    def about(self) -> dict[str, Any]:
        """Return what can be told of it."""
        return {
            "name": self.name, "engine": self.engine, "refined": self.refined,
            "figures": self.figures, "consent": self.consent.as_dict(),
        }  # fmt: skip


class Voices:
    """The voices on this machine: a folder of files. Blocking: run it in a worker thread.

    Args:
        people: Folder of all that belongs to people; by default in the user's data.
    """

    def __init__(self, people: Path | None = None) -> None:
        self.folder = people_folder(people) / "voices"

    def names(self) -> tuple[str, ...]:
        """Return the names of all, sorted."""
        found = (_name(file) for file in self.folder.glob(f"*{SUFFIX}"))
        return tuple(sorted(name for name in found if name))

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def load(self, name: str) -> EnrolledVoice:
        """Return one.

        Raises:
            InputError: if there is none, it is damaged, or another version wrote it.
            ConsentError: if its record of consent is missing.
        """
        return load_voice(self._path(name), name)

    def save(self, voice: EnrolledVoice) -> None:
        """Keep one; it replaces one of the same name.

        Raises:
            InputError: if it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InputError(f"cannot write {self.folder}: {error.strerror}") from error
        save_voice(voice, self._path(voice.name))

    def remove(self, name: str) -> bool:
        """Delete one for good; return whether there was one."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            return False
        return True

    def _path(self, name: str) -> Path:
        return self.folder / f"{_file(name)}{SUFFIX}"


def people_folder(people: Path | None = None) -> Path:
    """Return the folder of all that belongs to people; `AVATAR_PEOPLE`, or in the user's data."""
    default = platformdirs.user_data_path("realtime-avatar") / "people"
    return (people or Path(os.environ.get("AVATAR_PEOPLE") or default)).expanduser()


def check_name(name: str) -> str:
    """Return a name for a voice, without needless spaces.

    Raises:
        InputError: if it cannot be one: engines and speakers are told apart by colons, and an
            engine's name must go on meaning that engine.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST:
        raise InputError(f"a voice needs a name of 1 to {LONGEST} characters")
    if not re.fullmatch(r"[\w][\w .'-]*", name):
        raise InputError(f"{name!r} cannot be a voice's name: letters, digits, spaces, - and . may")
    if name.casefold() in registry.names("voice"):
        raise InputError(f"{name!r} is a voice engine's name: call the voice something else")
    return name


def save_voice(voice: EnrolledVoice, path: Path) -> None:
    """Write a voice to a file, which appears when it is whole.

    Raises:
        InputError: if it cannot be written.
    """
    about = {"format": FORMAT, "version": VERSION, **voice.about()}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("voice.json", json.dumps(about, ensure_ascii=False, indent=1))
            archive.writestr("style.npy", _packed(voice.style.astype(np.float16)))
            archive.writestr("embedding.npy", _packed(voice.embedding))
        part.chmod(0o600)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def load_voice(path: Path, name: str = "") -> EnrolledVoice:
    """Return the voice in a file.

    Args:
        path: The file.
        name: What to call it in errors.

    Raises:
        InputError: if there is none, it is damaged, or another version wrote it.
        ConsentError: if its record of consent is missing.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            data = read_part(archive, "voice.json", _LARGEST)
            about = read_about(path, data, FORMAT, VERSION, kind="a voice", enrolled="the voice")
            style, embedding = (
                np.load(io.BytesIO(read_part(archive, part, _LARGEST)), allow_pickle=False).astype(
                    np.float32
                )
                for part in ("style.npy", "embedding.npy")
            )
            if not (np.isfinite(style).all() and np.isfinite(embedding).all()):
                raise ValueError("not a voice")
            voice = EnrolledVoice(
                str(about["name"]), str(about["engine"]), Consent.parse(about["consent"]),
                style, embedding, bool(about["refined"]),
                {str(key): float(value) for key, value in about["figures"].items()},
            )  # fmt: skip
    except FileNotFoundError:
        raise InputError(f"there is no voice {name or path!s}") from None
    except ConsentError as error:
        raise ConsentError(f"the voice {name or path!s} is not used: {error}") from error
    except (OSError, KeyError, ValueError, TypeError, AttributeError, EOFError) as error:
        raise InputError(f"{path} is damaged, or not a voice") from error
    except zipfile.BadZipFile as error:
        raise InputError(f"{path} is damaged, or not a voice") from error
    return voice


def _packed(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _file(name: str) -> str:
    """Return a name as a file's: what file systems dislike is written %XXXX; case does not count.

    Two names that differ in case only are the same voice.
    """
    return re.sub(r"[^\w-]", lambda found: f"%{ord(found[0]):04x}", name.casefold())


def _name(file: Path) -> str:
    """Return the name of the voice in a file; empty if it cannot be read."""
    try:
        with zipfile.ZipFile(file) as archive:
            return str(json.loads(read_part(archive, "voice.json", _LARGEST))["name"])
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile):
        return ""
