"""Makes face/data/teeth.png: generic upper and lower teeth.

    python training/face/teeth.py openpeople-0.1.2-py3-none-any.whl \
        src/realtime_avatar/face/data/teeth.png

The upper row is photographed from the selfie of P010 in the package openpeople (a person
made up by an image model; MIT). Its incisal edge was traced by hand. The lower row is set
up from two of the same teeth, upside down and narrower, since the sheets show none.

The picture is RGBA with 512 pixels to the distance between the outer eye corners, the
upper row in the top half and the lower row in the bottom half; `mouth.py` says where in
them the edges lie. Its colour is evened out to one white, so that it can be lit anew.
"""

import sys
import zipfile

import cv2
import numpy as np
from numpy.typing import NDArray

SCALE = 800  # of the traced picture, pixels to the eye distance
# From the outer eye corner to the other, and the middle of the mouth corners, in the
# selfie's pixels, as the face landmarker finds them.
PORTRAIT = "openpeople/data/curated/P010/assets/amateur_selfie.jpg"
ACROSS, MOUTH = (424.622, -13.098), (856.943, 1171.380)
EDGE = np.array([
    (78, 120), (84, 140), (90, 165), (97, 182), (104, 178), (108, 180), (113, 194), (118, 204),
    (125, 207), (133, 206), (139, 201), (143, 211), (150, 224), (158, 228), (168, 226), (178, 220),
    (182, 224), (187, 231), (195, 236), (208, 239), (222, 238), (232, 234), (236, 235), (240, 243),
    (248, 250), (260, 252), (275, 252), (290, 251), (303, 249), (309, 245), (313, 240), (317, 245),
    (324, 249), (335, 250), (355, 250), (372, 249), (383, 247), (390, 241), (395, 233), (402, 236),
    (412, 237), (425, 236), (436, 232), (444, 226), (448, 219), (455, 223), (463, 226), (470, 226),
    (476, 220), (481, 209), (486, 198), (492, 203), (500, 206), (506, 202), (512, 188), (519, 178),
    (525, 186), (532, 168), (540, 140), (546, 120),
])  # fmt: skip
"""The incisal edge, pixels of the traced picture, left to right."""
LIP = np.array(
    [(78, 118), (110, 140), (160, 147), (220, 158), (255, 168), (312, 172), (350, 170),
     (395, 163), (420, 157), (470, 148), (500, 141), (546, 112)]
)  # fmt: skip
"""Below the edge of the upper lip, where gum or tooth is seen."""
CENTRE = 313.0  # the midline, pixels of the traced picture
ACROSS_ROWS, UPPER_ROWS, LOWER_ROWS = 320, 104, 72  # columns and rows of the result
OUT = 512  # its pixels to the eye distance
EDGE_ROW, TIP_ROW = 92, 14  # where the central incisors end: of the upper row, of the lower
WHITE = np.float32([216, 226, 232])  # BGR of a well lit tooth
# A lower row: which traced tooth (left, right, top, bottom), mirrored or not, its centre
# and width in eye distances, and how far below the incisors it ends.
LATERAL, CANINE = (404, 441, 172, 228), (148, 174, 165, 222)
LOWER = [
    (CANINE, True, -0.215, 0.062, 0.012, 0.62), (CANINE, False, 0.215, 0.062, 0.012, 0.62),
    (CANINE, False, -0.158, 0.062, 0.0, 0.78), (CANINE, True, 0.158, 0.062, 0.0, 0.78),
    (LATERAL, False, -0.094, 0.064, 0.003, 0.92), (LATERAL, True, 0.094, 0.064, 0.003, 0.92),
    (LATERAL, True, -0.0305, 0.061, 0.0, 1.0), (LATERAL, False, 0.0305, 0.061, 0.002, 0.98),
]  # fmt: skip


def traced(wheel: str) -> NDArray[np.float32]:
    """Return the selfie's mouth, 640 x 300, 800 pixels to the eye distance."""
    with zipfile.ZipFile(wheel) as archive:
        data = np.frombuffer(archive.read(PORTRAIT), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    across, at = np.array(ACROSS), np.array(MOUTH)
    down = np.array([-across[1], across[0]])
    source = np.float32([at, at + across, at + down])  # type: ignore[arg-type]
    target = np.float32([[320, 120], [320 + SCALE, 120], [320, 120 + SCALE]])  # type: ignore[arg-type]
    matrix = cv2.getAffineTransform(source, target)
    return cv2.warpAffine(picture, matrix, (640, 300), flags=cv2.INTER_CUBIC).astype(np.float32)


def upper(mouth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the upper row: colour as it is, alpha 0 below the incisal edge."""
    rows, columns = mouth.shape[:2]
    at = np.arange(columns)
    lip = np.interp(at, LIP[:, 0], LIP[:, 1])
    colour = mouth.copy()
    y = np.arange(rows)
    gum = mouth[150:165, 300:325].reshape(-1, 3).mean(0) * 0.8
    for x in at:  # above the lip's edge goes on what is seen just below it, then gum
        share = np.clip((lip[x] + 3 - y[y < lip[x] + 3]) / 22, 0, 1)[:, None]
        colour[y < lip[x] + 3, x] = mouth[int(lip[x]) + 4, x] * (1 - share) + gum * share
    mask = np.zeros((rows * 4, columns * 4), np.uint8)
    outline = np.concatenate([EDGE, [(546, 0), (78, 0)]]).astype(np.float32)
    cv2.fillPoly(mask, [np.rint(outline * 4).astype(np.int32)], 255)
    alpha = cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_AREA)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1.2).astype(np.float32)
    picture = np.dstack([colour, alpha])
    ratio = OUT / SCALE
    matrix = np.float32(
        [[ratio, 0, ACROSS_ROWS / 2 - CENTRE * ratio], [0, ratio, EDGE_ROW - 251 * ratio]]
    )
    small = cv2.GaussianBlur(picture, (0, 0), 0.5)
    return cv2.warpAffine(
        small, matrix, (ACROSS_ROWS, UPPER_ROWS), flags=cv2.INTER_AREA | cv2.INTER_LINEAR
    )


def lower(mouth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the lower row, tips up."""
    row = np.zeros((LOWER_ROWS, ACROSS_ROWS, 4), np.float32)
    for (left, right, top, bottom), mirrored, at, width, step, light in LOWER:
        tooth = mouth[top:bottom, left:right][::-1]
        tooth = tooth[:, ::-1] if mirrored else tooth
        size = (max(2, round(width * OUT)), LOWER_ROWS - TIP_ROW)
        tooth = cv2.resize(np.ascontiguousarray(tooth), size, interpolation=cv2.INTER_AREA)
        shape = np.zeros((size[1] * 4, size[0] * 4), np.uint8)
        w, h = size[0] * 4, size[1] * 4
        cv2.rectangle(shape, (3, 12), (w - 4, h), 255, -1)
        cv2.ellipse(shape, (w // 2, 14), (w // 2 - 4, 11), 0, 180, 360, 255, -1)
        alpha = cv2.resize(shape, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        alpha = cv2.GaussianBlur(alpha, (0, 0), 0.8)
        x = round(ACROSS_ROWS / 2 + at * OUT - size[0] / 2)
        y = TIP_ROW + round(step * OUT)
        part = row[y:, x : x + size[0]]
        sprite = np.dstack([tooth * light, alpha])[: part.shape[0]]
        share = sprite[..., 3:] / 255
        part[..., :3] = part[..., :3] * (1 - share) + sprite[..., :3] * share
        part[..., 3] = np.maximum(part[..., 3], sprite[..., 3])
    return row


def main(wheel: str, target: str) -> None:
    mouth = traced(wheel)
    tooth = mouth[190:235, 330:385].reshape(-1, 3)
    mouth = mouth * (WHITE / np.median(tooth, axis=0))
    both = np.concatenate([upper(mouth), lower(mouth)])
    cv2.imwrite(target, np.clip(np.rint(both), 0, 255).astype(np.uint8))


if __name__ == "__main__":
    main(*sys.argv[1:])
