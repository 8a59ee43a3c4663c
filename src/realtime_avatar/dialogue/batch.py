"""Many films, one after another or several at once, that go on where they were left."""

import json
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
from anyio import Lock, create_task_group, current_time, to_thread
from av.error import FFmpegError
from filelock import FileLock, Timeout

from realtime_avatar.config import Settings
from realtime_avatar.dialogue import requests
from realtime_avatar.dialogue.ensemble import FPS, Ensemble
from realtime_avatar.dialogue.one_shot import Size
from realtime_avatar.dialogue.requests import Taste
from realtime_avatar.dialogue.scripts import Script
from realtime_avatar.engines.ports import Rig
from realtime_avatar.errors import AvatarError, InputError, leaves
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.media.film import FilePlayout

if TYPE_CHECKING:
    from collections.abc import Generator

_LOCK: Final = ".avatar-generate.lock"
_SECRETS: Final = ("key", "api_key")  # names of engines' options


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one script.

    Attributes:
        film: The file.
        seconds: Of film; 0 if none was made now.
        skipped: Whether it was there already.
        problem: Why it could not be made; empty if it was.
    """

    film: Path
    seconds: float = 0.0
    skipped: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was made of all scripts.

    Attributes:
        films: In the order in which they were finished.
        elapsed: Seconds that it took, with the engines loaded.
    """

    films: tuple[Made, ...]
    elapsed: float

    @property
    def seconds(self) -> float:
        """Of film that were made now."""
        return sum(made.seconds for made in self.films)

    @property
    def throughput(self) -> float:
        """Seconds of film for each second of work."""
        return self.seconds / self.elapsed if self.elapsed else 0.0


async def generate(
    ensemble: Ensemble,
    scripts: Sequence[Script],
    folder: Path,
    size: Size = None,
    workers: int = 1,
    told: Callable[[Made], None] = lambda _: None,
) -> Batch:
    """Make each script's film, unless it is there already.

    A film appears under its name only when it is whole, and holds a hash of what it was made
    from: one that is there was made by an earlier run from the same script. So a run that was
    killed is simply run again.

    Args:
        ensemble: The engines.
        scripts: With different names.
        folder: Where the films are written to; made if it is not there.
        size: Of the pictures.
        workers: How many are made at once.
        told: Told of each one.

    Raises:
        InputError: if the folder cannot be used, or another run uses it.
        AvatarError: if an engine cannot be loaded.
    """
    done = list[Made]()
    with _own(folder):
        await ensemble.load(("voice", "face"))
        begun, portraits = current_time(), _Portraits(ensemble, size)
        todo = iter(scripts)

        async def work() -> None:
            for script in todo:
                made = await _make(ensemble, script, folder, portraits)
                done.append(made)
                told(made)

        async with create_task_group() as tasks:
            for _ in range(workers):
                tasks.start_soon(work)
        return Batch(tuple(done), current_time() - begun)


async def _make(ensemble: Ensemble, script: Script, folder: Path, portraits: "_Portraits") -> Made:
    film, settings = folder / f"{script.name}.mp4", ensemble.settings
    try:
        own = settings.portrait or default_portrait()
        picture = script if script.portrait else replace(script, portrait=own)
        taste = Taste(script.language, script.voice)
        language = taste.of(script.text, ensemble)
        digest = await to_thread.run_sync(_digest, picture, settings, portraits.size, language)
        if await to_thread.run_sync(_holds, film, digest):
            return Made(film, skipped=True)
        rig = await portraits.rig(script.portrait or own)
        async with FilePlayout(film, FPS, digest) as playout:
            await requests.say(ensemble, rig, script.text, taste, playout)
        return Made(film, playout.seconds)
    except* AvatarError as group:
        problem = "; ".join(dict.fromkeys(map(str, leaves(group))))
    return Made(film, problem=problem)


def _digest(script: Script, settings: Settings, size: Size, language: str) -> str:
    """Return a hash of all that changes a film: not what only changes how it comes about."""
    engines = {settings.face, settings.cloner, *settings.chosen("voice")}
    engines.add(script.voice.partition(":")[0])
    options = {
        name: {key: value for key, value in own.items() if key not in _SECRETS}
        for name, own in settings.engines.items()
        if name in engines
    }
    look = f"{settings.face} {settings.emotion} {size}"
    voice = str(sorted(settings.voice.items()))
    return script.digest(look, voice, language, json.dumps(options, sort_keys=True, default=str))


class _Portraits:
    """Enrols each portrait once."""

    def __init__(self, ensemble: Ensemble, size: Size) -> None:
        self._ensemble, self.size = ensemble, size
        self._rigs: dict[Path, Rig] = {}
        self._lock = Lock()

    async def rig(self, path: Path) -> Rig:
        async with self._lock:
            if path not in self._rigs:
                portrait = await to_thread.run_sync(read_portrait, path)
                face = await self._ensemble.face()
                self._rigs[path] = await face.enrol(portrait, size=self.size)
            return self._rigs[path]


def _holds(film: Path, digest: str) -> bool:
    """Return whether a film was made from what has this hash."""
    if not film.is_file():
        return False
    try:
        with av.open(str(film), "r") as file:
            return file.metadata.get("description") == digest
    except FFmpegError:  # somebody else's file
        return False


@contextmanager
def _own(folder: Path) -> "Generator[None]":
    """Keep others out of a folder, and clear away what a run that was killed left half done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / _LOCK, timeout=0):
            for part in folder.glob(".*.mp4.*.part"):
                part.unlink()
            yield
    except Timeout:
        raise InputError(f"another `avatar generate` is writing into {folder}") from None
    except OSError as error:
        raise InputError(f"cannot write into {folder}: {error.strerror or error}") from error
