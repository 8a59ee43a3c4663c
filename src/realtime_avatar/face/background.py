"""What is seen behind the person instead of the portrait's own background."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from realtime_avatar.errors import InputError
from realtime_avatar.face.rig import PhotoRig

Picture = NDArray[np.uint8]

_BLUR = 0.03  # of the longer side


def colour(rig: PhotoRig, name: str) -> Picture:
    """Return a background of one colour.

    Args:
        rig: Whose pictures it is for.
        name: As CSS has it: "#20507c", "teal".

    Raises:
        InputError: if there is no such colour.
    """
    try:
        rgb = ImageColor.getrgb(name)[:3]
    except ValueError:
        raise InputError(f"{name!r} is neither a colour nor a picture") from None
    return np.full((rig.height, rig.width, 3), rgb, np.uint8)


def picture(rig: PhotoRig, image: Picture) -> Picture:
    """Return a picture, RGB, cut about its middle to the size of the rig's own."""
    height, width = image.shape[:2]
    scale = max(rig.width / width, rig.height / height)
    wide, high = (max(1, round(side / scale)) for side in (rig.width, rig.height))
    left, top = (width - wide) // 2, (height - high) // 2
    part = image[max(top, 0) : top + high, max(left, 0) : left + wide]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (rig.width, rig.height), interpolation=how), np.uint8)


def blurred(rig: PhotoRig) -> Picture:
    """Return the portrait's own background out of focus.

    Raises:
        InputError: if the person could not be cut out of it.
    """
    if rig.plate is None:
        raise InputError("the person could not be told from this portrait's background")
    spread = _BLUR * max(rig.width, rig.height)
    return np.asarray(cv2.GaussianBlur(rig.plate, (0, 0), spread), np.uint8)
