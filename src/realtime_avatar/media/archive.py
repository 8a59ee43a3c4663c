"""Versioned files of several parts: a ZIP archive with a JSON part that says what it is."""

import json
import zipfile
from pathlib import Path
from typing import Any

from realtime_avatar.errors import InputError


def read_part(archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    """Return a part of an archive.

    Raises:
        KeyError: if it is not there.
        ValueError: if it has more than `largest` bytes.
    """
    if archive.getinfo(name).file_size > largest:
        raise ValueError(name)
    return archive.read(name)


def read_about(
    path: Path, data: bytes, format_: str, version: int, *, kind: str, enrolled: str
) -> dict[str, Any]:
    """Return the JSON part of a file, if this version of the product reads such files.

    Args:
        path: Of the file.
        data: The part.
        format_: What it must say.
        version: The same.
        kind: What the file is, with its article.
        enrolled: What is enrolled again to get a new one.

    Raises:
        InputError: if it is another kind of file, or another version wrote it.
        KeyError: if it does not say.
        ValueError: if it is no JSON.
    """
    about: dict[str, Any] = json.loads(data)
    if about["format"] != format_:
        raise InputError(f"{path} is not {kind}")
    if about["version"] != version:
        raise InputError(
            f"{path} has format {about['version']}, and this version of the product"
            f" reads format {version}: enrol {enrolled} again"
        )
    return about
