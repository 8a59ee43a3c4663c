"""What travels between a server and the replicas of its engines."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import AvatarError, EngineError
from realtime_avatar.media import Shot
from realtime_avatar.media.picture import Frame, nv12, rgb

Frames = Literal["nv12", "jpeg"]
"""How pictures travel: half the size of RGB, or a sixth of that for a millisecond or two each."""

_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class Item:
    """Something that an engine gave.

    Attributes:
        value: The same, pictures packed.
        after: Of a face, what another replica needs to go on from here; None: as before.
    """

    value: Any
    after: Any = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An engine failed, in words of ours."""

    error: AvatarError


@dataclass(frozen=True, slots=True)
class Gone:
    """The replica does not know the session: it has been restarted, or the session moved."""


Message = Item | Failed | Gone


@dataclass(frozen=True, slots=True)
class Opened:
    """A session is open.

    Attributes:
        replica: Which one holds it.
        rate: Of a voice, Hz; else 0.
    """

    replica: str
    rate: int


@dataclass(frozen=True, slots=True)
class About:
    """What is asked of an engine when it is loaded.

    Attributes:
        languages: Of a voice.
        speakers: Of a voice.
        refines: Whether it can better the likeness of a learned voice.
        replica: Who answered.
        process: Its process id.
        sessions: That it holds.
        busy: Streams that it works on.
    """

    languages: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    refines: bool = False
    replica: str = ""
    process: int = 0
    sessions: int = 0
    busy: int = 0


@dataclass(frozen=True, slots=True)
class Shared:
    """A rig, named instead of sent: replicas that have it need no copy.

    Attributes:
        key: Of what was enrolled.
        at: A reference to it in Ray's object store, in a list so that Ray leaves it alone.
    """

    key: str
    at: list[Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame, packed.

    Attributes:
        kind: How.
        data: uint8; NV12, see `media.picture.Frame`, or a JPEG's bytes.
    """

    kind: Frames
    data: NDArray[np.uint8]


def pack(value: Any, kind: Frames) -> Any:
    """Return what an engine gave as it travels: pictures packed, all else as it is."""
    if isinstance(value, Shot):
        return value if value.frame is None else replace(value, frame=pack(value.frame, kind))
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8:
        return value
    return Picture("nv12", nv12(value)) if kind == "nv12" else _jpeg(value)


def unpack(value: Any) -> Any:
    """Return what `pack` was given, but for what the packing lost; frames are newly allocated.

    NV12 stays what it is, as encoders take it.
    """
    if isinstance(value, Shot):
        return replace(value, frame=unpack(value.frame))
    if not isinstance(value, Picture):
        return value
    if value.kind == "jpeg":
        drawn = cv2.imdecode(value.data, cv2.IMREAD_COLOR_RGB)
        return np.asarray(drawn, np.uint8)
    return value.data.copy()  # Ray's memory is not held by a picture that is shown for long


def in_words(stage: str, error: Exception) -> AvatarError:
    """Return an engine's error as one of ours."""
    if isinstance(error, AvatarError):
        return error
    return EngineError(stage, str(error) or type(error).__name__)


def _jpeg(frame: Frame) -> Picture:
    bgr = cv2.cvtColor(rgb(frame), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return Picture("jpeg", np.asarray(data, np.uint8))
