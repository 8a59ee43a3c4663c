"""What an answer looks like where voice and lips are in step by construction.

A film is made of shots, each a picture with exactly the sound that is heard while it is
shown: nothing can have shifted. It is what a live conversation is compared with.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from anyio import to_thread
from numpy.typing import NDArray

from realtime_avatar.bench.live_face import find_face
from realtime_avatar.bench.live_mouth import openings
from realtime_avatar.bench.live_question import RATE, levels
from realtime_avatar.bench.live_recording import Box
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.one_shot import enrol
from realtime_avatar.face.landmarks import FaceLandmarker
from realtime_avatar.media.audio import Audio

FPS: Final = 25
"""Pictures a second."""

_SIZE = (512, 512)
_BEFORE = FPS  # pictures of the silent face: an answer's first sound parts closed lips


@dataclass(frozen=True, slots=True)
class Film:
    """One answer.

    Attributes:
        sound: float32, shape (n,): RMS levels of 5 ms each.
        mouth: float32, shape (m,): the opening between the lips in each picture, 25 a
            second, as `openings` measures it.
    """

    sound: NDArray[np.float32]
    mouth: NDArray[np.float32]


async def film(
    ensemble: Ensemble,
    finder: FaceLandmarker,
    answers: Sequence[NDArray[np.int16]],
    say: Callable[[str], None] = lambda _: None,
) -> list[Film]:
    """Have the face say what was heard, and look at it.

    It is made of the sound alone: what the voice told a live face of its phonemes moves lips more
    sharply, not earlier or later.

    Args:
        ensemble: The engines, set as the server's.
        finder: Looks at it.
        answers: Each as it was heard, 48 kHz.
        say: Is told what is being done.

    Raises:
        AvatarError: if the face fails.
    """
    films: list[Film] = []
    engine, rig = await ensemble.face(), await enrol(ensemble, _SIZE)
    for number, pcm in enumerate(answers):
        say(f"Filming answer {number + 1} of {len(answers)}")
        faces: list[bytes] = []
        box: Box | None = None
        async with engine.open(rig, fps=FPS) as face:
            for _ in range(_BEFORE):
                await face.idle()
            async with aclosing(face.animate(_chunks(pcm))) as shots:
                async for shot in shots:
                    assert shot.frame is not None
                    box = box or await to_thread.run_sync(find_face, shot.frame)
                    if box is not None:
                        faces.append(await to_thread.run_sync(_face, box, shot.frame))
        mouth = await to_thread.run_sync(openings, finder, faces)
        films.append(Film(levels(pcm), mouth))
    return films


async def _chunks(pcm: NDArray[np.int16]) -> AsyncGenerator[Audio]:
    size = RATE // 5
    for at in range(0, len(pcm), size):
        yield Audio(pcm[at : at + size], RATE, at)


def _face(box: Box, frame: NDArray[np.uint8]) -> bytes:
    return box.cut(np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8))
