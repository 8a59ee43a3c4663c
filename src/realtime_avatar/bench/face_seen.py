"""The avatar driven, rendered, and looked at with the landmarker that measures people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.bench.face_bars import CLOSED
from realtime_avatar.bench.face_sound import (
    closures,
    compare,
    correlation,
    moved,
    speeds,
    unit,
)
from realtime_avatar.bench.recordings import RATE, Clip
from realtime_avatar.errors import EngineError
from realtime_avatar.face.landmarks import FaceLandmarker, Landmarks
from realtime_avatar.face.rig import PhotoRig, Renderer
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.motion import INDEX, Motion

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

_LAGS: Final = range(-5, 6)  # frames
_MIDDLES: Final = ((82, 87), (13, 14), (312, 317))  # upper and lower inner lip, landmarks
# Landmarks that neither lips, jaw nor lids carry: forehead, temples, nose, upper cheeks.
_STEADY: Final = (
    10, 338, 297, 67, 109, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 127, 234, 356, 454, 54, 284,
    116, 345, 50, 280, 117, 346, 98, 327, 48, 278, 129, 358,
)  # fmt: skip
_EVERY: Final = 10  # of how many frames one is kept to be recognised


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one film of the avatar.

    Attributes:
        weights: float32, shape (frames, 52): the landmarker's scores.
        gaps: float32, shape (frames,): between the inner lips, as the landmarker sees them,
            in distances between the outer eye corners.
        steps: float32, shape (frames - 1,): the most that a landmark which no lip, jaw or
            lid carries moves from one picture to the next, as rendered, eyes.
        pictures: Every tenth.
        faces: Of those pictures.
    """

    weights: Floats
    gaps: Floats
    steps: Floats
    pictures: list[Picture]
    faces: list[Landmarks]


def look(rig: PhotoRig, landmarker: FaceLandmarker, motion: Motion) -> Seen:
    """Render a motion and look at it.

    Raises:
        EngineError: if no face is found in a picture.
    """
    renderer, face = Renderer(rig), None
    weights: list[Floats] = []
    gaps: list[float] = []
    places: list[Floats] = []
    pictures: list[Picture] = []
    faces: list[Landmarks] = []
    for index, (row, pose) in enumerate(zip(motion.weights, motion.pose, strict=True)):
        picture = renderer.render(row, pose)
        face = landmarker.track(picture, face) if face else None
        if face is None or face.score < 0.5:
            found = landmarker.detect(picture)
            if not found:
                raise EngineError("face", f"no face is found in picture {index}")
            face = found[0]
        weights.append(face.weights)
        gaps.append(lip_gap(face.points))
        places.append(renderer.place(row, pose)[list(_STEADY)])
        if index % _EVERY == 0:
            pictures.append(picture)
            faces.append(face)
    steps = np.linalg.norm(np.diff(np.stack(places), axis=0), axis=2).max(1) / rig.mesh.eyes
    return Seen(
        np.stack(weights), np.array(gaps, np.float32), steps.astype(np.float32), pictures, faces
    )


def lip_gap(points: Floats) -> float:
    """Return the height of the opening in the middle of the lips, eyes."""
    eyes = np.linalg.norm(points[33] - points[263])
    return float(
        np.mean([np.linalg.norm(points[a, :2] - points[b, :2]) for a, b in _MIDDLES]) / eyes
    )


def recordings(
    rig: PhotoRig, landmarker: FaceLandmarker, clips: Sequence[Clip], *, labels: bool = False
) -> tuple[dict[str, Any], list[Seen]]:
    """Drive the avatar with recordings; compare it with what was seen on the person.

    Args:
        rig: The avatar.
        landmarker: That looks at it.
        clips: To drive it with.
        labels: Move it by what was seen rather than by the sound, so that the renderer
            alone is measured; the head keeps still.

    Returns:
        The figures of `compare`, `in_step` (the share of clips in which the jaw's best lag
        is within one frame), `lag` (the mean, frames, positive if the avatar is late),
        and `speed` (as `speeds`); and what was seen.
    """
    seen: list[Seen] = []
    for clip in clips:
        count = len(clip.labels)
        motion = moved(clip.audio)
        if labels:
            motion = Motion(clip.labels, np.zeros((count, 6), np.float32))
        seen.append(look(rig, landmarker, Motion(motion.weights[:count], motion.pose[:count])))
    lags = [
        lag(unit(film.weights, "jawOpen"), unit(clip.labels, "jawOpen"))
        for film, clip in zip(seen, clips, strict=True)
    ]
    report: dict[str, Any] = {
        "units": compare([film.weights for film in seen], [clip.labels for clip in clips]),
        "in_step": float(np.mean(np.abs(lags) <= 1)),
        "lag": float(np.mean(lags)),
        "speed": speeds([film.weights for film in seen]),
    }
    return report, seen


def lag(avatar: Floats, person: Floats) -> int:
    """Return by how many frames the avatar is late, where the two agree best."""
    margin = max(_LAGS)
    middle = slice(margin, len(person) - margin)

    def agreement(late: int) -> float:
        return correlation(np.roll(avatar, -late)[middle], person[middle])

    return max(_LAGS, key=lambda late: (agreement(late), -abs(late)))


def lips_closed(
    rig: PhotoRig, landmarker: FaceLandmarker, clips: Sequence[Audio]
) -> dict[str, Any]:
    """Return how closed the lips are in the m, b and p of synthetic speech.

    Returns:
        `closed`, the share whose gap gets below `CLOSED` as rendered (the widest of the
        middle of the mesh that the pictures are made from); `seen`, the same as the
        landmarker sees it, less what it sees at rest; `count`.
    """
    renderer = Renderer(rig)
    at_rest = lip_gap(rest(rig, landmarker)[1].points)
    made: list[float] = []
    seen: list[float] = []
    for clip in clips:
        motion = moved(clip)
        gaps = look(rig, landmarker, motion).gaps - at_rest
        rendered = [
            _mesh_gap(renderer.place(weights, pose), rig)
            for weights, pose in zip(motion.weights, motion.pose, strict=True)
        ]
        for span in closures(clip, len(rendered)):
            made.append(min(rendered[span]))
            seen.append(float(gaps[span].min()))
    return {
        "closed": float(np.mean(np.array(made) < CLOSED)),
        "seen": float(np.mean(np.array(seen) < CLOSED)),
        "count": len(made),
    }


def rest(rig: PhotoRig, landmarker: FaceLandmarker) -> tuple[Picture, Landmarks]:
    """Return the portrait as it is shown at rest, and its face."""
    still = np.zeros(6, np.float32)
    picture = Renderer(rig).render(np.zeros(len(INDEX), np.float32), still)
    found = landmarker.detect(picture)
    if not found:
        raise EngineError("face", "no face is found in the portrait at rest")
    return picture, found[0]


def silence(rig: PhotoRig) -> float:
    """Return how far the lips move in three seconds of silence, the head aside, eyes."""
    renderer, still = Renderer(rig), np.zeros(6, np.float32)
    rows = moved(Audio.silence(3 * RATE, RATE)).weights
    lips = [78, 308, *(landmark for pair in _MIDDLES for landmark in pair)]
    places = np.stack([renderer.place(row, still)[lips] for row in rows])
    return float(np.linalg.norm(places - places[0], axis=2).max() / rig.mesh.eyes)


def _mesh_gap(places: Floats, rig: PhotoRig) -> float:
    return float(max(np.linalg.norm(places[b] - places[a]) for a, b in _MIDDLES) / rig.mesh.eyes)
