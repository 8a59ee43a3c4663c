"""System messages that llama.cpp has read, kept on disk from one start to the next.

Reading one takes seconds on a small machine, and what it leaves in a slot's cache depends on
the model and the words alone: 28 kB for each token with the default model.
"""

import http.client
import json
import os
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Final
from urllib.parse import urlsplit

import platformdirs

_KEPT: Final = 24  # files; what was used longest ago goes first
_SECONDS: Final = 10.0  # for one answer: a slot that another reply keeps busy is waited for


def prompts_folder() -> Path | None:
    """Return the folder in the user's cache, made if need be; None if it cannot be written."""
    folder = platformdirs.user_cache_path("realtime-avatar") / "prompts"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def prune(folder: Path) -> None:
    """Remove the files that were used longest ago, if there are many."""
    files = [file for ending in ("slot", "npz") for file in folder.glob(f"*.{ending}")]
    files.sort(key=lambda file: file.stat().st_mtime_ns)
    for file in files[:-_KEPT]:
        file.unlink(missing_ok=True)


class ReadPrompts:
    """The files of one model. Blocking: call it in worker threads.

    What cannot be kept or restored is read again; no error leaves here.

    Args:
        folder: Where they are, which is where the server saves its slots; None keeps nothing.
        model: The model's file; it counts as another when its size or time has changed.
        version: Of llama.cpp.
        address: URL at which the server listens: only there can slots be saved.
        key: Of its port.
    """

    def __init__(
        self, folder: Path | None, model: Path, version: str, address: str, key: str
    ) -> None:
        about = model.stat()
        self._folder, self._key, self._address = folder, key, urlsplit(address)
        self._model = f"{model.resolve()}:{about.st_size}:{about.st_mtime_ns}:{version}"

    def restore(self, slot: int, system: str) -> bool:
        """Put a system message into a slot as if it had been read; return whether it was kept."""
        file = self._file(system)
        if not (file and file.is_file() and self._ask(slot, "restore", file.name)):
            return False
        with suppress(OSError):
            os.utime(file)
        return True

    def keep(self, slot: int, system: str) -> None:
        """Save a slot that has read a system message and nothing else."""
        if not (file := self._file(system)):
            return
        part = file.with_suffix(f".{token_hex(8)}.part")
        with suppress(OSError):
            if self._ask(slot, "save", part.name):
                part.replace(file)
                prune(file.parent)
        with suppress(OSError):
            part.unlink(missing_ok=True)

    def _file(self, system: str) -> Path | None:
        name = sha256(f"{self._model}:{system}".encode()).hexdigest()
        return self._folder and self._folder / f"{name}.slot"

    def _ask(self, slot: int, action: str, file: str) -> bool:
        host, port = self._address.hostname or "", self._address.port
        with closing(http.client.HTTPConnection(host, port, timeout=_SECONDS)) as connection:
            try:
                connection.request(
                    "POST",
                    f"/slots/{slot}?action={action}",
                    json.dumps({"filename": file}),
                    {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
                )
                return connection.getresponse().status == http.client.OK
            except (OSError, http.client.HTTPException):
                return False
