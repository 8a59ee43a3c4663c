"""One picture of everything that a portrait can do, for a person to look at."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from realtime_avatar.face.rig import PhotoRig, Renderer
from realtime_avatar.media.motion import INDEX

Floats = NDArray[np.float32]
Pose = tuple[float, float, float, float, float, float]

_STILL: Final[Pose] = (0, 0, 0, 0, 0, 0)
_TURN: Final = 0.1745  # ten degrees

POSES: Final[tuple[tuple[str, dict[str, float], Pose], ...]] = (
    ("rest", {}, _STILL),
    ("m b p", {"jawOpen": 0.08, "mouthClose": 0.08, "mouthPress": 0.22, "mouthRollLower": 0.12,
               "mouthRollUpper": 0.12}, _STILL),
    ("f v", {"jawOpen": 0.06, "mouthClose": 0.05, "mouthRollLower": 0.5, "mouthUpperUp": 0.18},
     _STILL),
    ("th", {"jawOpen": 0.08, "mouthLowerDown": 0.05, "tongueOut": 0.6}, _STILL),
    ("l", {"jawOpen": 0.14, "mouthLowerDown": 0.05, "tongueOut": 0.3}, _STILL),
    ("s", {"jawOpen": 0.01, "mouthStretch": 0.2, "mouthLowerDown": 0.14, "mouthUpperUp": 0.08},
     _STILL),
    ("sh", {"jawOpen": 0.03, "mouthFunnel": 0.45, "mouthPucker": 0.2, "mouthLowerDown": 0.07},
     _STILL),
    ("ee", {"jawOpen": 0.03, "mouthSmile": 0.25, "mouthLowerDown": 0.12, "mouthStretch": 0.2},
     _STILL),
    ("ih", {"jawOpen": 0.08, "mouthSmile": 0.1, "mouthLowerDown": 0.07}, _STILL),
    ("eh", {"jawOpen": 0.19, "mouthLowerDown": 0.07, "mouthStretch": 0.1}, _STILL),
    ("aa", {"jawOpen": 0.42, "mouthLowerDown": 0.05}, _STILL),
    ("ah", {"jawOpen": 0.32}, _STILL),
    ("oh", {"jawOpen": 0.26, "mouthFunnel": 0.4, "mouthPucker": 0.3}, _STILL),
    ("oo", {"jawOpen": 0.07, "mouthPucker": 0.6, "mouthFunnel": 0.2}, _STILL),
    ("w", {"jawOpen": 0.02, "mouthPucker": 0.8}, _STILL),
    ("wide open", {"jawOpen": 0.75}, _STILL),
    ("smile", {"mouthSmile": 0.6, "cheekSquint": 0.3}, _STILL),
    ("laugh", {"mouthSmile": 0.75, "mouthUpperUp": 0.3, "mouthLowerDown": 0.16, "jawOpen": 0.06,
               "cheekSquint": 0.5, "eyeSquint": 0.4}, _STILL),
    ("sad", {"mouthFrown": 0.6, "browInnerUp": 0.7, "mouthShrugLower": 0.3}, _STILL),
    ("surprised", {"jawOpen": 0.3, "browInnerUp": 0.7, "browOuterUp": 0.7, "eyeWide": 0.7},
     _STILL),
    ("concerned", {"browDown": 0.6, "browInnerUp": 0.4, "eyeSquint": 0.3, "mouthPress": 0.3},
     _STILL),
    ("half blink", {"eyeBlink": 0.5}, _STILL),
    ("blink", {"eyeBlink": 1.0}, _STILL),
    ("wink", {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.4, "mouthSmileLeft": 0.3}, _STILL),
    ("look left", {"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.6}, _STILL),
    ("look right", {"eyeLookOutRight": 0.6, "eyeLookInLeft": 0.6}, _STILL),
    ("look up", {"eyeLookUp": 0.6}, _STILL),
    ("look down", {"eyeLookDown": 0.6}, _STILL),
    ("turn left", {}, (_TURN, 0, 0, 0, 0, 0)),
    ("turn right", {"jawOpen": 0.25}, (-_TURN, 0, 0, 0, 0, 0)),
    ("nod", {}, (0, _TURN, 0, 0, 0, 0)),
    ("lift", {"jawOpen": 0.25}, (0, -_TURN, 0, 0, 0, 0)),
    ("tilt left", {}, (0, 0, _TURN, 0, 0, 0)),
    ("tilt right", {"jawOpen": 0.2}, (0.05, 0.03, -_TURN, 0, 0, 0)),
    ("nearer", {}, (0, 0, 0, 0, 0, 0.5)),
    ("aside", {}, (0, 0, 0, 0.15, 0.1, 0)),
)  # fmt: skip
"""Name, weights (a name without a side means both) and pose of each picture."""


def weights_of(named: dict[str, float]) -> Floats:
    """Return ARKit weights, (52,), from names; one without its side means both."""
    weights = np.zeros(len(INDEX), np.float32)
    for name, value in named.items():
        for full in (name,) if name in INDEX else (f"{name}Left", f"{name}Right"):
            weights[INDEX[full]] = value
    return weights


def draw(rig: PhotoRig, *, part: str = "all", columns: int = 6, side: int = 320) -> Image.Image:
    """Return the sheet of a portrait.

    Args:
        rig: The portrait.
        part: "all" of each picture, or a close-up of its "mouth" or its "eyes".
        columns: Pictures in a row.
        side: Width of each, pixels.
    """
    renderer, cut = Renderer(rig), _cut(rig, part)
    high = round(side * (cut[3] - cut[1]) / (cut[2] - cut[0]))
    rows = -(-len(POSES) // columns)
    sheet = Image.new("RGB", (columns * side, rows * high))
    pen = ImageDraw.Draw(sheet)
    for index, (name, named, pose) in enumerate(POSES):
        frame = renderer.render(weights_of(named), np.array(pose, np.float32))
        picture = Image.fromarray(frame).crop(cut).resize((side, high), Image.Resampling.LANCZOS)
        at = (index % columns * side, index // columns * high)
        sheet.paste(picture, at)
        pen.text((at[0] + 6, at[1] + 4), name, (255, 255, 255), stroke_width=1, stroke_fill=0)
    return sheet


def _cut(rig: PhotoRig, part: str) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is shown of each picture."""
    if part == "all":
        return 0, 0, rig.width, rig.height
    eyes, mouth = rig.points[[33, 263], :2].mean(0), rig.points[[13, 14], :2].mean(0)
    centre, reach = (eyes, (0.75, 0.35)) if part == "eyes" else (mouth, (0.5, 0.42))
    low, high = centre - np.array(reach) * rig.mesh.eyes, centre + np.array(reach) * rig.mesh.eyes
    return round(low[0]), round(low[1]), round(high[0]), round(high[1])
