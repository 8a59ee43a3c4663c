"""Where the weights are on this machine, and how they get there.

A model is a folder `<root>/<id>`, which is there only when it is whole and verified. What is
being pulled, or was interrupted, is in `<root>/.partial/<id>`.
"""

import errno
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import platformdirs
from filelock import FileLock, Timeout

from realtime_avatar.errors import ConfigError, ModelMissing
from realtime_avatar.models import record
from realtime_avatar.models.assembly import Assembly, Progress
from realtime_avatar.models.catalogue import Catalogue, Model, PathSource, Source, bundled
from realtime_avatar.models.clients import disk_use
from realtime_avatar.models.record import Damaged, State
from realtime_avatar.models.sources import parts
from realtime_avatar.models.unpack import Unavailable

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Status:
    """How a model is on this machine.

    Attributes:
        model: Its entry in the catalogue.
        state: "ready", "unchecked" (will be hashed before use), "damaged" or "missing".
        folder: Where it is, or would be.
        partial_bytes: What an interrupted pull has left to go on with.
    """

    model: Model
    state: State
    folder: Path
    partial_bytes: int


class ModelStore:
    """A folder with one folder for each model. Blocking: run it in a worker thread.

    Args:
        root: The folder; `AVATAR_MODELS`, or the user's cache, if None.
        offline: Never start a package client; `AVATAR_OFFLINE` if None.
        catalogue: Which models there are; those that come with the package if None.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        offline: bool | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        default = platformdirs.user_cache_path("realtime-avatar") / "models"
        self.root = (root or Path(os.environ.get("AVATAR_MODELS") or default)).expanduser()
        self.offline = _offline() if offline is None else offline
        self.catalogue = catalogue or bundled()

    def path(self, model: str) -> Path:
        """Return the folder that holds a model's files, all of them verified.

        Files that were hashed before and have not changed since are not hashed again.

        Raises:
            ConfigError: if there is no such model.
            ModelMissing: if it is not here, or not what the catalogue says.
        """
        wanted, folder = self.catalogue[model], self.root / model
        match record.state(folder, wanted):
            case "missing":
                raise ModelMissing(
                    f"the model {model!r} is not here; fetch it: avatar models pull {model}"
                )
            case "ready":
                return folder
            case "unchecked" | "damaged":
                self._check(folder, wanted, _silent)
                return folder

    def has(self, model: str) -> bool:
        """Tell whether `path` would return.

        Raises:
            ConfigError: if there is no such model.
        """
        try:
            self.path(model)
        except ModelMissing:
            return False
        return True

    def verify(self, model: str, progress: Progress | None = None) -> None:
        """Hash all files of a model again.

        Raises:
            ConfigError: if there is no such model.
            ModelMissing: if it is not here, or not what the catalogue says.
        """
        wanted, folder = self.catalogue[model], self.root / model
        if record.state(folder, wanted) == "missing":
            self.path(model)
        self._check(folder, wanted, _silent if progress is None else progress)

    def status(self) -> list[Status]:
        """Return how each model of the catalogue is; no file is read."""
        return [
            Status(
                model=model,
                state=record.state(self.root / model.id, model),
                folder=self.root / model.id,
                partial_bytes=disk_use(self._partial(model)),
            )
            for model in self.catalogue.models
        ]

    def pull(
        self, model: str, progress: Progress | None = None, source: Path | None = None
    ) -> Path:
        """Fetch a model unless it is here, and return its folder.

        An interrupted pull is gone on with. Nobody sees the folder before it is whole and
        verified. If another process pulls the same model, this one waits for it.

        Args:
            model: Its id.
            progress: Is told how far it is.
            source: A folder with its files (or with a folder of its name), to copy it from
                instead of the catalogue's sources.

        Raises:
            ConfigError: if there is no such model.
            ModelMissing: saying in one sentence why it could not be fetched.
        """
        wanted, progress = self.catalogue[model], _silent if progress is None else progress
        if self.has(model):
            return self.root / model
        try:
            with self._lock(wanted, progress):
                if not self.has(model):
                    self._fetch(wanted, progress, source)
        except BrokenPipeError:  # of whoever shows the progress
            raise
        except OSError as error:
            why = error.strerror or str(error)
            if error.errno in _FULL:
                why = f"the disk is full; free some space and pull again: it goes on ({why})"
            raise ModelMissing(
                f"the model {model!r} cannot be written to {self.root}: {why}"
            ) from error
        return self.root / model

    def remove(self, model: str) -> bool:
        """Delete a model and what an interrupted pull of it has left.

        Returns:
            Whether there was anything.

        Raises:
            ConfigError: if there is no such model.
            ModelMissing: if it cannot be deleted.
        """
        wanted, folder = self.catalogue[model], self.root / model
        if not (os.path.lexists(folder) or self._partial(wanted).is_dir()):
            return False
        try:
            with self._lock(wanted, _silent):
                self._put_aside(folder, wanted)
                if self._partial(wanted).is_dir():
                    shutil.rmtree(self._partial(wanted))
        except OSError as error:
            raise ModelMissing(f"the model {model!r} cannot be deleted: {error}") from error
        return True

    def _check(self, folder: Path, model: Model, progress: Progress) -> None:
        try:
            record.check(
                folder, model, lambda done: progress(done, model.size, f"{model.id}: verifying")
            )
        except Damaged as error:
            raise ModelMissing(
                f"{error} ({folder}); fetch it again: avatar models pull {model.id}"
            ) from None
        except OSError as error:
            raise ModelMissing(f"the model {model.id!r} cannot be read: {error}") from error

    def _fetch(self, model: Model, progress: Progress, given: Path | None) -> None:
        sources: tuple[Source, ...] = model.sources
        if given is not None:
            sources = (PathSource(kind="path", path=given),)
        if self.offline:
            sources = tuple(source for source in sources if isinstance(source, PathSource))
        if not sources:
            raise ModelMissing(
                f"the model {model.id!r} is not here and cannot be fetched while offline"
            )
        failures = list[str]()
        for number, source in enumerate(sources):
            assembly = Assembly(
                self._partial(model) / f"{number}-{source.kind}",
                model,
                source,
                parts(source, model),
            )
            needed, free = assembly.missing_bytes(), shutil.disk_usage(self.root).free
            if free < needed:
                failures.append(
                    f"it needs {needed:,} bytes of disk and {free:,} are free in {self.root}"
                )
                break
            try:
                files = assembly.run(progress)
            except Unavailable as error:
                failures.append(f"{source.kind}: {error}")
                continue
            self._put_aside(self.root / model.id, model)
            files.replace(self.root / model.id)
            shutil.rmtree(self._partial(model), ignore_errors=True)
            return
        message = f"the model {model.id!r} could not be fetched: {'; '.join(failures)}"
        if model.alternative is not None:
            message += f" (instead: avatar models pull {model.alternative})"
        raise ModelMissing(message)

    def _put_aside(self, folder: Path, model: Model) -> None:
        """Move what is in a model's place out of it, at once, to be deleted at leisure."""
        if not os.path.lexists(folder):
            return
        self._partial(model).mkdir(exist_ok=True)
        folder.replace(Path(mkdtemp(prefix="old-", dir=self._partial(model))) / "old")

    def _partial(self, model: Model) -> Path:
        return self.root / ".partial" / model.id

    @contextmanager
    def _lock(self, model: Model, progress: Progress) -> Generator[None]:
        (self.root / ".partial").mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / ".partial" / f"{model.id}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress(0, model.size, f"{model.id}: waiting for another pull of it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def _silent(done: int, total: int, what: str) -> None:
    pass


def _offline() -> bool:
    value = os.environ.get("AVATAR_OFFLINE", "").lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("", "0", "false", "no", "off"):
        return False
    raise ConfigError(f"AVATAR_OFFLINE is {value!r}; it can be 1 or 0")
