"""Whether a model's folder holds what the catalogue says, without hashing it each time.

Once every file has been hashed, their sizes and times of change are written down beside
them. As long as these stay the same the files are taken for unchanged.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from realtime_avatar.models.catalogue import Model
from realtime_avatar.models.unpack import PIECE

NAME = ".verified"

State = Literal["ready", "unchecked", "damaged", "missing"]


class Damaged(Exception):
    """A folder does not hold what the catalogue says. The message is a clause."""


def state(folder: Path, model: Model) -> State:
    """Tell how a model is, without reading its files.

    Returns:
        "ready": hashed and unchanged since. "unchecked": there, to be hashed before use.
        "damaged": a file is missing or its size is wrong. "missing": there is no folder.
    """
    if not folder.is_dir():
        return "missing"
    try:
        now = _now(folder, model)
    except OSError:
        return "damaged"
    if any(file.sha256 and now[file.name]["size"] != file.bytes for file in model.files):
        return "damaged"
    try:
        written = json.loads((folder / NAME).read_text())
    except (OSError, ValueError):
        return "unchecked"
    return "ready" if written == now else "unchecked"


def check(folder: Path, model: Model, report: Callable[[int], None]) -> None:
    """Hash every file and write down that it is right.

    Args:
        folder: Where the files are.
        model: What they should be.
        report: Is told the bytes hashed so far.

    Raises:
        Damaged: naming the first file that is not what the catalogue says.
    """
    with suppress(OSError):  # until it is known to be right, and for good if it is not
        (folder / NAME).unlink()
    try:
        before = _now(folder, model)  # a file changed while it is hashed is hashed again
        done = 0
        for file in model.files:
            digest = sha256()
            with (folder / file.name).open("rb") as stream:
                while piece := stream.read(PIECE):
                    digest.update(piece)
                    done += len(piece)
                    report(done)
            if file.sha256 is not None and digest.hexdigest() != file.sha256:
                raise Damaged(
                    f"the file {file.name} of model {model.id!r} is not what the catalogue says"
                )
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        name = Path(error.filename).name
        raise Damaged(f"the file {name} of model {model.id!r} is missing") from None
    with suppress(OSError):  # a folder that cannot be written to is hashed each time
        _write(folder, before)


def write(folder: Path, model: Model) -> None:
    """Write down that every file of the model has just been hashed and is right."""
    _write(folder, _now(folder, model))


def _write(folder: Path, files: dict[str, Any]) -> None:
    new = folder / f"{NAME}.{os.getpid()}"
    try:
        new.write_text(json.dumps(files, indent=1))
        new.replace(folder / NAME)
    finally:
        new.unlink(missing_ok=True)


def _now(folder: Path, model: Model) -> dict[str, Any]:
    found = {file: (folder / file.name).stat() for file in model.files}
    return {
        file.name: {"size": at.st_size, "mtime_ns": at.st_mtime_ns, "sha256": file.sha256}
        for file, at in found.items()
    }
