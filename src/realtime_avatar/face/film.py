"""A recording said by a portrait, as pictures: for files, where time does not matter."""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.curves import Curves
from realtime_avatar.face.motion import SpeechMotion
from realtime_avatar.face.rig import PhotoRig, Renderer
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.motion import Motion
from realtime_avatar.media.shot import Shot

Picture = NDArray[np.uint8]


def film_shots(
    rig: PhotoRig,
    audio: Audio,
    fps: int,
    background: Picture | None = None,
    *,
    curves: bool = False,
) -> Generator[Shot]:
    """Yield the shots of a film.

    Args:
        rig: The portrait.
        audio: What it says, of a rate that is a multiple of `fps`.
        fps: 25, 30 or 50.
        background: Instead of the portrait's own, RGB, of the pictures' size.
        curves: Draw what moves below each picture.
    """
    motion, size = _motion(audio, fps), audio.rate // fps
    renderer, strip = Renderer(rig, background), Curves(motion, rig.width)
    for index, (weights, pose) in enumerate(zip(motion.weights, motion.pose, strict=True)):
        frame = renderer.render(weights, pose)
        start = index * size
        pcm = audio.pcm[start : start + size]
        heard = Audio(np.pad(pcm, (0, size - len(pcm))), audio.rate, start)
        yield Shot(heard, strip.below(frame, index) if curves else frame)


def clear_film(rig: PhotoRig, audio: Audio, fps: int) -> Generator[Picture]:
    """Yield the pictures of a film without a background: RGBA, not premultiplied."""
    motion, renderer = _motion(audio, fps), Renderer(rig)
    for weights, pose in zip(motion.weights, motion.pose, strict=True):
        frame = renderer.cut_out(weights, pose)
        alpha = frame[..., 3:].astype(np.float32)
        frame[..., :3] = np.clip(frame[..., :3] * 255 / np.maximum(alpha, 1), 0, 255)
        yield frame


def _motion(audio: Audio, fps: int) -> Motion:
    speech = SpeechMotion(fps)
    parts = [speech.push(audio), speech.finish()]
    return Motion(
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.pose for part in parts]),
    )
