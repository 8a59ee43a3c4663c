"""The matte: what of a portrait is the person, and what is seen where the person was.

A plain background is a smooth surface of colour: it is fitted, and what differs from it is
the person. In a band along the edge, the share of the person in each pixel follows from
the two colours that it can be mixed of, the person's nearest and the background's. A busy
background is cut off roughly by GrabCut, told by the landmarks where head and body must be
(Rother, Kolmogorov, Blake, "GrabCut", 2004), and the cut softened along the picture's own
edges (He, Sun, Tang, "Guided image filtering", 2010).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.mesh import OVAL

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

_ROUGH = 320  # longer side of the picture that is cut roughly, pixels
_OUT, _IN = 0.16, 0.07  # the band beside the rough edge, eyes
_PLAIN = 9.0  # how far a plain background strays from a smooth surface, RGB distance
_OTHER = 22.0  # what differs more from it is somebody
_NOISE = 0.07  # share of either colour that is taken for none


@dataclass(frozen=True, slots=True)
class Matte:
    """A portrait taken apart; all of its shape.

    Attributes:
        front: uint8 RGBA: the person, premultiplied by alpha.
        plate: uint8 RGB: the background, made up where the person hides it.
        plain: Whether the background is plain enough to be told from fine hair.
    """

    front: Picture
    plate: Picture
    plain: bool


def find(texture: Picture, points: Floats) -> Matte | None:
    """Return the person cut out, or None where person and background cannot be told apart.

    Args:
        texture: RGB.
        points: Landmarks, (478, 3), in its pixels.
    """
    eyes = float(np.linalg.norm(points[33] - points[263]))
    scale = min(1.0, _ROUGH / max(texture.shape[:2]))
    small = _resized(texture, scale)
    flat = points[:, :2] * np.float32(scale)
    surface = _surface(small, flat)
    rough = _cut_off(small, flat) if surface is None else _differing(small, flat, surface)
    if rough is None:
        return None
    soft = cv2.GaussianBlur(rough * np.uint8(255), (0, 0), 1.0)
    person = (cv2.resize(soft, texture.shape[1::-1]) > 127).astype(np.uint8)
    sure = _shrunk(person, _IN * eyes) > 0
    behind = _shrunk(1 - person, _OUT * eyes) > 0
    if not behind.any():
        return None
    plate = _filled(texture, behind, surface, eyes)
    if surface is None:
        alpha = _guided(texture, person, max(2, round(0.05 * eyes)))
    else:
        alpha = _mixed(texture, plate, sure, eyes)
    alpha = np.where(sure, 1, np.where(behind, 0, alpha)).astype(np.float32)
    front = np.empty((*alpha.shape, 4), np.uint8)
    front[..., 3] = np.rint(255 * alpha)
    for k in range(3):  # one colour at a time: a large portrait needs a third of the memory
        own = texture[..., k] - (1 - alpha) * plate[..., k]
        front[..., k] = np.clip(np.rint(own), 0, front[..., 3])
    return Matte(front, plate, surface is not None)


def extended(front: Picture, top: int, bottom: int, left: int, right: int, eyes: float) -> Picture:
    """Return the person with a border around the picture.

    The border mirrors what the edge cuts through; but hair that the upper edge has cut off
    is closed by a dome, or else a second head would hang from above.

    Args:
        front: As in `Matte`.
        top: Rows to add.
        bottom: Rows to add.
        left: Columns to add.
        right: Columns to add.
        eyes: Distance between the outer eye corners, pixels.
    """
    border = cv2.copyMakeBorder(front, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    picture = np.asarray(border, np.uint8)
    last = picture.shape[1] - right
    for side, edge in ((picture[:, :left], left), (picture[:, last:], last - 1)):
        cut = (picture[:, edge, 3:] > 127).astype(np.uint8)
        long = cv2.morphologyEx(cut, cv2.MORPH_OPEN, np.ones((max(1, round(0.25 * eyes)), 1)))
        side[long[:, 0] == 0] = 0  # a single curl that touches the edge ends there
    if not top:
        return picture
    height = _dome(picture[top, :, 3] > 127, eyes)
    above = np.arange(top, 0, -1, dtype=np.float32)[:, None] - 0.5
    alpha = np.clip((height - above) / max(1.0, 0.015 * eyes) + 0.5, 0, 1) * (height > 0)
    mirrored = picture[:top].astype(np.float32)
    solid = mirrored[..., 3:] > 160
    shade = mirrored[solid[..., 0], :3].mean(0) if solid.any() else np.zeros(3)
    colour = np.where(solid, mirrored[..., :3] * 255 / np.maximum(mirrored[..., 3:], 1), shade)
    picture[:top, :, 3] = np.rint(255 * alpha)
    picture[:top, :, :3] = np.clip(np.rint(colour * alpha[..., None]), 0, 255)
    return picture


def _dome(cut: NDArray[np.bool_], eyes: float) -> Floats:
    """Return how far above the upper edge what is cut off there goes on, pixels."""
    height = np.zeros(len(cut), np.float32)
    ends = np.flatnonzero(np.diff(np.concatenate([[0], cut.astype(int), [0]])))
    for start, end in zip(ends[::2], ends[1::2], strict=True):
        half = (end - start) / 2
        radius = max(1.4 * eyes, half / 0.95)
        at = np.arange(start, end) + 0.5 - (start + half)
        height[start:end] = np.sqrt(radius**2 - at**2) - np.sqrt(radius**2 - half**2)
    return height


def _resized(picture: NDArray[Any], scale: float) -> NDArray[Any]:
    shape = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA))


def _surface(small: Picture, points: Floats) -> Floats | None:
    """Return a plain background as a smooth surface of colour, or None if it is busy."""
    across, along = _frame(points, small.shape[:2])
    beside = (along < 0.8) & ((np.abs(across) > 1.0) | (along < -0.9))
    rows, columns = small.shape[:2]
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j].astype(np.float32)
    terms = np.stack([x**i * y**j for i in range(4) for j in range(4 - i)], -1)
    colour = small.astype(np.float32)
    # Hair is not background: what stays far from the fit counts less and less.
    brightness = colour.sum(2)
    border = np.concatenate(
        [brightness[: rows // 2, :3].ravel(), brightness[: rows // 2, -3:].ravel()]
    )
    trust = (beside & (np.abs(brightness - np.median(border)) < 150)).astype(np.float32)
    surface = colour
    for turn in range(12):
        if turn == 6:  # a background that goes on darker beside the body is learned on the way
            beside |= np.abs(across) > 1.4
        used = trust > 0.05
        if used.sum() < 0.04 * used.size:
            return None
        weight = np.sqrt(trust[used])[:, None]
        fit = np.linalg.lstsq(terms[used] * weight, colour[used] * weight, rcond=None)[0]
        surface = terms @ fit
        off = np.linalg.norm(colour - surface, axis=2)
        trust = beside / (1 + (off / 8) ** 4)
    close = beside & (trust > 0.5)
    strays = np.linalg.norm(colour - surface, axis=2)[close].mean()
    if close.sum() < 0.35 * beside.sum() or strays > _PLAIN:
        return None
    return surface.astype(np.float32)


def _differing(small: Picture, points: Floats, surface: Floats) -> Picture | None:
    """Return 1 where there is not the background."""
    off = np.linalg.norm(small.astype(np.float32) - surface, axis=2)
    return _checked((off > _OTHER).astype(np.uint8), points)


def _cut_off(small: Picture, points: Floats) -> Picture | None:
    """Return 1 where the person probably is."""
    across, along = _frame(points, small.shape[:2])
    guess = np.full(small.shape[:2], cv2.GC_PR_BGD, np.uint8)
    head = (across / 1.05) ** 2 + ((along + 0.1) / 1.55) ** 2 < 1
    shoulders = (along > 1.3) & (np.abs(across) < 0.6 + 1.5 * np.clip(along - 1.3, 0, 1))
    guess[head | shoulders] = cv2.GC_PR_FGD
    guess[(np.abs(across) > 2.1) & (along < 0.6)] = cv2.GC_BGD
    neck = (np.abs(across) < 0.3) & (along > 0) & (along < 1.7)
    guess[(_face(small, points) > 0) | neck] = cv2.GC_FGD
    if not np.isin(guess, (cv2.GC_BGD, cv2.GC_PR_BGD)).any():
        return None
    cv2.setRNGSeed(0)  # its colour clusters begin at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, guess, (0, 0, 0, 0), *models, 6, cv2.GC_INIT_WITH_MASK)
    return _checked(np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8), points)


def _face(small: Picture, points: Floats) -> Picture:
    face = np.zeros(small.shape[:2], np.uint8)
    cv2.fillPoly(face, [np.rint(points[list(OVAL)]).astype(np.int32)], 1)
    return face


def _checked(person: Picture, points: Floats) -> Picture | None:
    """Return the cut in one piece, or None if it cannot be a person."""
    face = _face(person, points)
    whole = cv2.morphologyEx(person | face, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    whole = _one_piece(np.asarray(whole, np.uint8), points[4])
    # Head and neck cannot be all there is, nor the whole picture; and what lies beside the
    # head cannot all be hair.
    across, along = _frame(points, whole.shape)
    beside = whole[(np.abs(across) > 2.2) & (along < 0.6)]
    if not 1.15 * face.sum() < whole.sum() < 0.93 * whole.size:
        return None
    return None if beside.size and beside.mean() > 0.3 else whole


def _frame(points: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return how far across and down the face each pixel is from between the eyes, eyes."""
    centre, down = points[[33, 263]].mean(0), points[152] - points[10]
    down = down / np.linalg.norm(down)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    eyes = np.linalg.norm(points[33] - points[263])
    x, y = (x - centre[0]) / eyes, (y - centre[1]) / eyes
    return x * down[1] - y * down[0], x * down[0] + y * down[1]


def _one_piece(person: Picture, nose: Floats) -> Picture:
    """Return the piece that the nose is in, without holes."""
    _, labels = cv2.connectedComponents(person)
    piece = (labels == labels[int(nose[1]), int(nose[0])]).astype(np.uint8)
    _, outside, about, _ = cv2.connectedComponentsWithStats(1 - piece)
    high, wide = piece.shape
    for index, (left, top, width, height, area) in enumerate(about):
        touches = left == 0 or top == 0 or left + width == wide or top + height == high
        if not touches and area < 0.02 * piece.size:
            piece[outside == index] = 1
    return piece


def _shrunk(mask: Picture, by: float) -> Picture:
    """Return the mask less a border; what lies outside the picture counts as it."""
    size = 2 * max(1, round(by)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.erode(mask, kernel, borderValue=1), np.uint8)


def _filled(
    texture: Picture, known: NDArray[np.bool_], surface: Floats | None, eyes: float
) -> Picture:
    """Return the picture with what is not known made up smoothly from around it."""
    scale = min(1.0, _ROUGH / max(texture.shape[:2]))
    small = _resized(texture, scale).astype(np.float32)
    there = _resized(known.astype(np.float32), scale) > 0.999
    spread = max(1.5, 0.12 * eyes * scale)
    if surface is None:
        hidden = (~there).astype(np.uint8)
        made = cv2.inpaint(small.astype(np.uint8), hidden, 4, cv2.INPAINT_TELEA)
        made = cv2.GaussianBlur(made.astype(np.float32), (0, 0), spread)
    else:  # the surface, and ever wider means of what strays from it
        made, off = surface.copy(), (small - surface) * there[..., None]
        for wide in (8 * spread, 3 * spread, spread):
            share = np.asarray(cv2.GaussianBlur(there.astype(np.float32), (0, 0), wide))
            mean = np.asarray(cv2.GaussianBlur(off, (0, 0), wide))
            trust = np.clip(share / 0.2, 0, 1)[..., None]
            mean = surface + mean / np.maximum(share, 1e-3)[..., None]
            made += trust * (mean - made)
    made = np.asarray(made, np.float32)
    keep = cv2.GaussianBlur(known.astype(np.float32), (0, 0), max(1.0, 0.02 * eyes))
    keep = np.clip(2 * np.asarray(keep) - 1, 0, 1)
    plate = np.empty_like(texture)
    for k in range(3):
        large = cv2.resize(made[..., k], texture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        mixed = large + keep * (texture[..., k] - large)
        plate[..., k] = np.clip(np.rint(mixed), 0, 255)
    return plate


def _mixed(texture: Picture, plate: Picture, sure: NDArray[np.bool_], eyes: float) -> Floats:
    """Return the share of the person's nearest colour, against the background's."""
    scale = min(1.0, _ROUGH / max(texture.shape[:2]))
    small = _resized(texture, scale).astype(np.float32)
    weight = (_resized(sure.astype(np.float32), scale) > 0.999).astype(np.float32)
    person = np.zeros_like(small)
    # The nearest colours count most.
    for spread in (0.4, 0.15, 0.06):
        share = np.asarray(cv2.GaussianBlur(weight, (0, 0), spread * eyes * scale))[..., None]
        mean = cv2.GaussianBlur(small * weight[..., None], (0, 0), spread * eyes * scale)
        person += np.clip(share / 0.05, 0, 1) * (mean / np.maximum(share, 1e-4) - person)
    person = np.asarray(person, np.float32)
    length = np.zeros(texture.shape[:2], np.float32)
    alpha = np.zeros_like(length)
    for k in range(3):
        behind = plate[..., k].astype(np.float32)
        apart = cv2.resize(person[..., k], texture.shape[1::-1]) - behind
        length += apart * apart
        alpha += (texture[..., k] - behind) * apart
    alpha /= np.maximum(length, 1e-3)
    alpha = np.clip((alpha - _NOISE) / (1 - 2 * _NOISE), 0, 1)
    # Alike colours cannot tell: there, a soft step in the middle of the band.
    told = length / (length + 30.0**2)
    step = cv2.GaussianBlur(sure.astype(np.float32), (0, 0), 0.05 * eyes)
    step = np.clip(2 * np.asarray(step), 0, 1)
    return (alpha * told + step * (1 - told)).astype(np.float32)


def _guided(texture: Picture, person: Picture, radius: int) -> Floats:
    """Return the rough cut, softened along the picture's own edges."""
    size = (2 * radius + 1, 2 * radius + 1)
    guide = cv2.cvtColor(texture, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
    mask = person.astype(np.float32)

    def mean(values: NDArray[Any]) -> Floats:
        return np.asarray(cv2.boxFilter(values, -1, size), np.float32)

    at, of = mean(guide), mean(mask)
    slope = (mean(guide * mask) - at * of) / (mean(guide * guide) - at * at + 1e-3)
    offset = of - slope * at
    return np.clip(mean(slope) * guide + mean(offset), 0, 1).astype(np.float32)
