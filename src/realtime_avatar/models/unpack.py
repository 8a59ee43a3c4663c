"""Reading named members out of wheels, tarballs and folders, without trusting them.

Nothing is extracted: a member's bytes are handed out in pieces and the caller decides where
they go. So a member's own name, however evil, never becomes a path.
"""

import tarfile
import zipfile
import zlib
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import IO

PIECE = 1 << 20  # bytes


class Unavailable(Exception):
    """A source has not given the model. The message is a clause that says why."""


def pieces(path: Path, wanted: Mapping[str, str]) -> Generator[tuple[str, bytes]]:
    """Iterate over the contents of some members of an archive.

    Args:
        path: A wheel, a tarball or a folder.
        wanted: Name to give it -> path of the member inside.

    Yields:
        The name given and the next piece of that member, at most 1 MiB.

    Raises:
        Unavailable: if a member is not there, is not a plain file, or the archive is broken.
    """
    missing = dict(wanted)
    try:
        with closing(_members(path, wanted)) as members:
            for name, stream in members:
                with stream:
                    while piece := stream.read(PIECE):
                        yield name, piece
                del missing[name]
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise Unavailable(f"{path.name} is broken: {error}") from None
    except (NotImplementedError, RuntimeError) as error:  # an unknown method, or encrypted
        raise Unavailable(f"{path.name} cannot be read: {error}") from None
    if missing:
        raise Unavailable(f"there is no file {min(missing.values())} in {path.name}")


def _members(path: Path, wanted: Mapping[str, str]) -> Generator[tuple[str, IO[bytes]]]:
    if path.is_dir():
        return _in_folder(path, wanted)
    return _in_zip(path, wanted) if zipfile.is_zipfile(path) else _in_tar(path, wanted)


def _in_folder(path: Path, wanted: Mapping[str, str]) -> Generator[tuple[str, IO[bytes]]]:
    for name, member in wanted.items():
        if (path / member).is_file():
            yield name, (path / member).open("rb")


def _in_zip(path: Path, wanted: Mapping[str, str]) -> Generator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for name, member in wanted.items():
            if member in archive.NameToInfo:
                yield name, archive.open(member)


def _in_tar(path: Path, wanted: Mapping[str, str]) -> Generator[tuple[str, IO[bytes]]]:
    names = {member: name for name, member in wanted.items()}
    with tarfile.open(path, "r|*") as archive:  # one pass: going back means inflating it again
        for info in archive:
            # A link of the right name could point anywhere: only plain files count.
            if info.isreg() and info.name in names:
                stream = archive.extractfile(info)
                assert stream is not None
                yield names.pop(info.name), stream
