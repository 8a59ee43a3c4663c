"""What an answer looks and sounds like where voice and lips are in step by construction.

A film is made of shots, each a picture with exactly the sound that is heard while it is
shown: nothing can have shifted. It is what a live conversation is compared with.
"""

from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass

import cv2
import numpy as np
from anyio import to_thread
from numpy.typing import NDArray

from realtime_avatar.bench.live_face import find_face
from realtime_avatar.bench.live_mouth import openings
from realtime_avatar.bench.live_question import HOP, RATE, levels
from realtime_avatar.bench.live_recording import Box
from realtime_avatar.dialogue.conversation import open_conversation
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.one_shot import enrol
from realtime_avatar.face.landmarks import FaceLandmarker
from realtime_avatar.media.audio import Audio, join
from realtime_avatar.media.shot import Shot

_SIZE = (512, 512)


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
    texts: list[tuple[str, str]],
    say: Callable[[str], None] = lambda _: None,
) -> dict[tuple[str, str], Film]:
    """Have texts said, and look at it.

    Args:
        ensemble: The engines, set as the server's.
        finder: Looks at it.
        texts: Language (ISO 639-1) and text of each.
        say: Is told what is being done.

    Raises:
        ExceptionGroup: of AvatarErrors, if a stage fails.
    """
    films: dict[tuple[str, str], Film] = {}
    rig = await enrol(ensemble, _SIZE)
    async with open_conversation(ensemble, rig, hears=False, thinks=False) as conversation:
        for number, (language, text) in enumerate(texts):
            say(f"Filming answer {number + 1} of {len(texts)}")
            takes = _Takes()
            await conversation.say(text, language, takes)
            mouth = await to_thread.run_sync(openings, finder, takes.faces)
            films[language, text] = Film(takes.levels(), mouth)
    return films


class _Takes:
    """Keeps what is played, as a client of a live conversation does."""

    def __init__(self) -> None:
        self.faces: list[bytes] = []
        self._audio: list[Audio] = []
        self._box: Box | None = None

    async def play(self, shots: AsyncIterable[Shot]) -> None:
        async for shot in shots:
            self._audio.append(shot.audio)
            if shot.frame is not None:
                await to_thread.run_sync(self._keep, shot.frame)
            elif self.faces:
                self.faces.append(self.faces[-1])

    def stop(self) -> str:
        return "".join(audio.text for audio in self._audio)

    def levels(self) -> NDArray[np.float32]:
        sound = join(self._audio)
        return levels(sound.pcm, sound.rate * HOP // RATE)

    def _keep(self, frame: NDArray[np.uint8]) -> None:
        if self._box is None:
            self._box = find_face(frame)
        if self._box is not None:
            grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            self.faces.append(self._box.cut(np.asarray(grey, np.uint8)))
