"""An avatar in one file: what enrolment found out, versioned.

A zip archive (stored, as its parts are compressed) of `rig.json`, `texture.png`,
`points.npy`, and where there are any, `plate.png` and `teeth.png`. Mesh, eyes and mouth
follow from these and are built when it is loaded, so that a file gains from every later
version of the product.
"""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.face.rig import OPEN, PhotoRig, make
from realtime_avatar.media.archive import read_about, read_part

FORMAT: Final = "realtime-avatar rig"
VERSION: Final = 1
"""Of the file's layout; a change that older readers would misread raises it."""

SUFFIX: Final = ".rig"

_LARGEST = 100_000_000  # bytes of a part, unpacked
_SIDE = 8192  # pixels


def save_rig(rig: PhotoRig, path: Path) -> None:
    """Write a rig to a file, which appears when it is whole.

    Raises:
        InputError: if it cannot be written.
    """
    about = {
        "format": FORMAT, "version": VERSION,
        "width": rig.width, "height": rig.height, "margin": rig.margin,
        "opens": [round(float(x), 5) for x in rig.opens],
    }  # fmt: skip
    points = io.BytesIO()
    np.save(points, rig.points)
    parts = {
        "rig.json": json.dumps(about).encode(),
        "texture.png": _png(rig.texture),
        "points.npy": points.getvalue(),
    }
    if rig.plate is not None:
        parts["plate.png"] = _png(rig.plate)
    if rig.teeth is not None:
        parts["teeth.png"] = _png(rig.teeth)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w") as archive:
            for name, data in parts.items():
                archive.writestr(name, data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def load_rig(path: Path) -> PhotoRig:
    """Return the rig in a file.

    Raises:
        InputError: if there is none, it is damaged, or another version wrote it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            data = read_part(archive, "rig.json", _LARGEST)
            about = read_about(
                path, data, FORMAT, VERSION, kind="an avatar", enrolled="the portraits"
            )
            names = set(archive.namelist())
            texture = _picture(read_part(archive, "texture.png", _LARGEST))
            plate, teeth = (
                _picture(read_part(archive, name, _LARGEST)) if name in names else None
                for name in ("plate.png", "teeth.png")
            )
            points = np.load(io.BytesIO(read_part(archive, "points.npy", _LARGEST)))
            return make(
                texture, _landmarks(points), int(about["width"]), int(about["height"]),
                margin=int(about["margin"]), plate=plate, teeth=teeth,
                opens=_opens(about.get("opens")),
            )  # fmt: skip
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, KeyError, ValueError, TypeError, IndexError, EOFError, cv2.error) as error:
        raise InputError(f"{path} is damaged, or not an avatar") from error
    except zipfile.BadZipFile as error:
        raise InputError(f"{path} is damaged, or not an avatar") from error


def _png(picture: NDArray[np.uint8]) -> bytes:
    order = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    done, data = cv2.imencode(
        ".png", cv2.cvtColor(picture, order), [cv2.IMWRITE_PNG_COMPRESSION, 3]
    )
    if not done:
        raise ValueError("a picture cannot be written")
    return np.asarray(data, np.uint8).tobytes()


def _picture(data: bytes) -> NDArray[np.uint8]:
    picture: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or max(picture.shape[:2]) > _SIDE:
        raise ValueError("not a picture")
    order = cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(picture, order), np.uint8)


def _opens(found: Any) -> NDArray[np.float32]:
    """Return what a file says of the jaw, or the usual where it was written before."""
    if found is None:
        return OPEN
    opens = np.array(found, np.float32)
    if opens.shape != OPEN.shape or not (np.diff(opens, prepend=0, append=1) >= 0).all():
        raise ValueError("not openings of a jaw")
    return opens


def _landmarks(points: NDArray[Any]) -> NDArray[np.float32]:
    if points.shape != (478, 3) or not np.isfinite(points).all():
        raise ValueError("not landmarks")
    return points.astype(np.float32)
