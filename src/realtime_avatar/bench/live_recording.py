"""What one client of a live benchmark saw and heard, kept until all is over.

Nothing is worked out while the clock runs: a client only keeps levels, times and small
pictures, and writes them into a folder when its conversation has ended.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

FACE: Final = 192
"""Side of the pictures of the face that are kept, pixels."""

_QUALITY = 90  # of their JPEGs


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that was spoken. Times are the client's, seconds.

    Attributes:
        question: Name of the recording.
        first: When its first sample of speech was spoken.
        last: When its last one was.
        over: Whether it was meant to interrupt the avatar.
        counted: False for those that only warm the engines up.
    """

    question: str
    first: float
    last: float
    over: bool
    counted: bool


@dataclass(slots=True)
class Recording:
    """One conversation as its client perceived it. All times on one clock, seconds.

    Attributes:
        sound: float32, shape (n,): RMS levels of 5 ms each, in [0, 1].
        sound_at: float64, shape (n,): when each began to be heard.
        voice: int16, shape (n * `HOP`,): the sound itself, 48 kHz.
        shown_at: float64, shape (m,): when each picture was shown, after its decoding and
            the client's own synchronisation with the sound.
        faces: JPEGs of the face in each picture, grey, `FACE` pixels square; none if no
            face was found.
        asked: The questions, in order.
        events: What the session told, each with the time it came.
        about: What else is worth knowing, such as the browser's own statistics.
    """

    sound: NDArray[np.float32]
    sound_at: NDArray[np.float64]
    voice: NDArray[np.int16]
    shown_at: NDArray[np.float64]
    faces: list[bytes]
    asked: list[Asked]
    events: list[tuple[float, dict[str, Any]]]
    about: dict[str, Any] = field(default_factory=dict[str, Any])

    def save(self, folder: Path) -> None:
        """Write it into a folder that is there."""
        np.savez(
            folder / "perceived.npz",
            sound=self.sound,
            sound_at=self.sound_at,
            voice=self.voice,
            shown_at=self.shown_at,
            faces=np.frombuffer(b"".join(self.faces), np.uint8),
            sizes=np.array([len(face) for face in self.faces], np.int64),
        )
        told = {"events": self.events, "about": self.about, "asked": [*map(asdict, self.asked)]}
        (folder / "told.json").write_text(json.dumps(told), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Recording":
        """Read what `save` wrote."""
        told = json.loads((folder / "told.json").read_text("utf-8"))
        with np.load(folder / "perceived.npz") as held:
            ends = np.cumsum(held["sizes"])
            faces = held["faces"].tobytes()
            starts = ends - held["sizes"]
            return cls(
                held["sound"],
                held["sound_at"],
                held["voice"],
                held["shown_at"],
                [faces[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)],
                [Asked(**asked) for asked in told["asked"]],
                [(at, event) for at, event in told["events"]],
                told["about"],
            )


@dataclass(frozen=True, slots=True)
class Box:
    """A square of a picture, pixels."""

    left: int
    top: int
    side: int

    def cut(self, picture: NDArray[np.uint8]) -> bytes:
        """Return this part of a grey picture as a JPEG of `FACE` pixels square."""
        part = picture[self.top : self.top + self.side, self.left : self.left + self.side]
        shape = cv2.INTER_AREA if self.side > FACE else cv2.INTER_LINEAR
        face = cv2.resize(part, (FACE, FACE), interpolation=shape)
        return encode_face(np.asarray(face, np.uint8))


def encode_face(face: NDArray[np.uint8]) -> bytes:
    """Return a grey picture as a JPEG."""
    return cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def decode_face(face: bytes) -> NDArray[np.uint8]:
    """Return a JPEG of `encode_face` as RGB, which landmarkers want."""
    grey = cv2.imdecode(np.frombuffer(face, np.uint8), cv2.IMREAD_GRAYSCALE)
    return np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)
