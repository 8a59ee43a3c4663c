"""Putting a model together from its parts in a folder aside, so that it can be gone on with.

    <folder>/files/      the files so far, as they will be moved into place
    <folder>/fetch/      the part that is being fetched; nothing in it outlives the part
    <folder>/joined      how many parts are in, and how long the files were then

A kill at any moment leaves files that are at least as long as `joined` says. The next pull
cuts them to that length and goes on with the part after it.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from realtime_avatar.models import record
from realtime_avatar.models.catalogue import Model, Source
from realtime_avatar.models.clients import Report, disk_use
from realtime_avatar.models.sources import Part
from realtime_avatar.models.unpack import Unavailable, pieces

# Is told bytes done, bytes in all, and what is being done. They need not add up to the model's
# size: downloads are counted as they come, compressed.
Progress = Callable[[int, int, str], None]


class Assembly:
    """A model being put together from one source.

    Args:
        folder: Its own, on the same disk as the store.
        model: What to put together.
        source: Where the parts are from. What a different one has left there is not used.
        parts: What `sources.parts` says of it.
    """

    def __init__(self, folder: Path, model: Model, source: Source, parts: Sequence[Part]) -> None:
        self._folder, self._model, self._parts = folder, model, parts
        self._files, self._fetched = folder / "files", folder / "fetch"
        self._key = sha256(f"{model!r}{source!r}".encode()).hexdigest()
        self._joined, self._lengths = self._resume()
        self._hashes = dict[str, Any]()

    def missing_bytes(self) -> int:
        """Return the disk that is still needed, at its peak."""
        left = self._parts[self._joined :]
        spare = max((part.spare_bytes for part in left), default=0)
        fetched = disk_use(self._fetched) if any(part.moves for part in left) else 0
        return max(0, self._model.size - sum(self._lengths.values()) - fetched) + spare

    def run(self, progress: Progress) -> Path:
        """Fetch and join what is missing.

        Returns:
            A folder with all files, hashed, on disk and recorded as verified.

        Raises:
            Unavailable: if a part cannot be had, or the result is wrong.
            OSError: if it cannot be written.
        """
        self._files.mkdir(parents=True, exist_ok=True)
        self._cut()
        total = sum(part.bytes for part in self._parts)
        done = sum(part.bytes for part in self._parts[: self._joined])
        for part in self._parts[self._joined :]:

            def report(fetched: int, part: Part = part, before: int = done) -> None:
                progress(before + min(fetched, part.bytes), total, part.what)

            report(0)
            self._add(part, report)
            done += part.bytes
            progress(done, total, part.what)
        shutil.rmtree(self._fetched, ignore_errors=True)
        self._verify()
        return self._files

    def _resume(self) -> tuple[int, dict[str, int]]:
        fresh = 0, {file.name: 0 for file in self._model.files}
        try:
            written: dict[str, Any] = json.loads((self._folder / "joined").read_text())
            joined, lengths = int(written["parts"]), dict[str, int](written["lengths"])
            if written["key"] == self._key and all(
                (self._files / name).stat().st_size >= length
                for name, length in lengths.items()
                if length
            ):
                return joined, lengths
        except (OSError, ValueError, KeyError, TypeError):
            pass
        shutil.rmtree(self._folder, ignore_errors=True)
        return fresh

    def _cut(self) -> None:
        for name, length in self._lengths.items():
            with (self._files / name).open("ab") as file:
                file.truncate(length)
            self._hashes[name] = _hash(self._files / name)

    def _add(self, part: Part, report: Report) -> None:
        if part.moves:
            self._fetched.mkdir(exist_ok=True)
            self._move(part, part.fetch(self._fetched, report))
        else:
            shutil.rmtree(self._fetched, ignore_errors=True)
            self._fetched.mkdir()
            try:
                self._append(part, part.fetch(self._fetched, report))
            finally:
                shutil.rmtree(self._fetched, ignore_errors=True)
        self._joined += 1
        written = {"key": self._key, "parts": self._joined, "lengths": self._lengths}
        new = self._folder / "joined.new"
        new.write_text(json.dumps(written))
        new.replace(self._folder / "joined")

    def _append(self, part: Part, path: Path) -> None:
        most = {file.name: file.bytes for file in self._model.files}
        with ExitStack() as files:
            ends = {n: files.enter_context((self._files / n).open("ab")) for n in part.members}
            for name, piece in pieces(path, part.members):
                self._lengths[name] += len(piece)
                if self._lengths[name] > most[name]:  # or a small archive could fill the disk
                    raise Unavailable(f"{path.name} holds more of {name} than there should be")
                ends[name].write(piece)
                self._hashes[name].update(piece)

    def _move(self, part: Part, path: Path) -> None:
        for name, member in part.members.items():
            to = self._files / name
            (path / member).replace(to)
            self._lengths[name] = to.stat().st_size
            self._hashes[name] = _hash(to)

    def _verify(self) -> None:
        for file in self._model.files:
            if file.sha256 not in (None, self._hashes[file.name].hexdigest()):
                shutil.rmtree(self._folder, ignore_errors=True)
                raise Unavailable(f"the {file.name} it gives is not what the catalogue says")
            with (self._files / file.name).open("rb") as written:
                os.fsync(written.fileno())
        record.write(self._files, self._model)


def _hash(path: Path) -> Any:  # hashlib does not name the type that it returns
    with path.open("rb") as file:
        return file_digest(file, "sha256")
