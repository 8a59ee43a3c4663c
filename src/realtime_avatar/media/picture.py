"""Pictures as renderers paint them, and as video encoders take them."""

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""uint8; RGB, (height, width, 3), or NV12 of BT.601 in studio range, (height * 3 / 2, width): luma,
then of each 2x2 pixels blue and red by turns. What a GPU paints is NV12, so that half as much is
fetched from it and no core converts it. Both sides are even."""


def size(frame: Frame) -> tuple[int, int]:
    """Return a picture's height and width."""
    height, width = frame.shape[:2]
    return (height, width) if frame.ndim == 3 else (height * 2 // 3, width)


def rgb(frame: Frame) -> Frame:
    """Return the picture in RGB."""
    if frame.ndim == 3:
        return frame
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_NV12), np.uint8)


def nv12(frame: Frame) -> Frame:
    """Return the picture in NV12."""
    if frame.ndim == 2:
        return frame
    height, _ = size(frame)
    planar = i420(frame)
    planes = np.empty_like(planar)
    planes[:height] = planar[:height]
    pairs, (blue, red) = planes[height:].reshape(-1, 2), planar[height:].reshape(2, -1)
    pairs[:, 0], pairs[:, 1] = blue, red
    return planes


def i420(frame: Frame) -> Frame:
    """Return the picture in I420, (height * 3 / 2, width): as NV12, but all of the blue first."""
    if frame.ndim == 3:
        # BT.601, 16 to 235, as FFmpeg's own scaler makes it, in a fifth of the time.
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420), np.uint8)
    height, _ = size(frame)
    planar = np.empty_like(frame)
    planar[:height] = frame[:height]
    planar[height:].reshape(2, -1)[:] = frame[height:].reshape(-1, 2).T
    return planar
