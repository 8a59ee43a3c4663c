"""The motion of one session, seen by a renderer that only takes note of it."""

import wave
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray

import realtime_avatar
from realtime_avatar.face.motion import SpeechMotion
from realtime_avatar.face.photo import PhotoFace
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.motion import INDEX
from streams import collect, in_chunks, stream

pytestmark = pytest.mark.anyio

SPEECH = Path(realtime_avatar.__file__).parent / "data/speech/arctic_a0007.wav"
MOUTH = [i for name, i in INDEX.items() if name.startswith(("jaw", "mouth"))]
EYES = [i for name, i in INDEX.items() if name.startswith("eye")]
OTHERS = [i for i in range(52) if i not in MOUTH + EYES]


class Notes:
    """Notes the rows, and how many threads are inside at once."""

    def __init__(self) -> None:
        self.rows: list[NDArray[np.float32]] = []
        self.inside = self.most = 0
        self.displaced = np.inf

    def displacement(self, weights: NDArray[np.float32], pose: NDArray[np.float32]) -> float:
        return self.displaced

    def render(self, weights: NDArray[np.float32], pose: NDArray[np.float32]) -> Any:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.rows.append(np.concatenate([weights, pose]))
        self.inside -= 1
        return np.zeros((2, 2, 3), np.uint8)


@pytest.fixture
def speech() -> Audio:
    with wave.open(str(SPEECH)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return Audio(pcm, 16_000, 0)


def session(fps: int = 25) -> tuple[PhotoFace, Notes]:
    notes = Notes()
    return PhotoFace(cast("Any", notes), SpeechMotion(fps, seed=1)), notes


async def say(face: PhotoFace, speech: Audio, shots: int, lost: int) -> None:
    """Say the beginning; what is heard ends `lost` shots before what is made."""
    async with aclosing(face.animate(stream(in_chunks(speech, 3200)))) as made:
        count = 0
        async for _ in made:
            count += 1
            if count == shots:
                break
    face.unseen(lost)


@pytest.mark.parametrize("lost", [0, 3, 9])
@pytest.mark.parametrize("shots", [31, 38, 44])
async def test_no_jump_from_idle_to_speech_to_interruption_and_on(
    speech: Audio, shots: int, lost: int
):
    face, notes = session()
    for _ in range(40):
        await face.idle()
    await say(face, speech, shots, lost)
    del notes.rows[len(notes.rows) - lost :]
    for _ in range(12):
        await face.idle("listening")
    await face.idle("nodding")
    for _ in range(12):
        await face.idle("thinking")
    await say(face, speech, shots, 0)
    await collect(face.animate(stream([speech])))  # at once, nothing between
    for _ in range(10):
        await face.idle()
    rows = np.array(notes.rows)
    assert len(rows) > 40 + 2 * shots + 35
    moved = np.abs(np.diff(rows, axis=0))
    assert moved[:, MOUTH].max() < 0.25
    assert moved[:, OTHERS].max() < 0.12
    assert moved[:, 52:55].max() < np.radians(0.9)
    assert moved[:, 55:].max() < 0.01
    assert rows[-1, INDEX["jawOpen"]] < 0.02


async def test_late_audio_shuts_the_mouth_and_goes_on_without_a_jump(speech: Audio):
    face, notes = session()

    async def late():
        for i, chunk in enumerate(in_chunks(speech, 8000)):
            if i == 2:
                for _ in range(15):
                    await face.idle()
            yield chunk

    await collect(face.animate(late()))
    rows = np.array(notes.rows)
    assert np.abs(np.diff(rows, axis=0))[:, MOUTH].max() < 0.25
    at = (2 * 8000 - 1920) // 640
    assert rows[at + 14, INDEX["jawOpen"]] < 0.02


async def test_speech_and_idle_never_move_the_face_at_once(speech: Audio):
    face, notes = session()

    async def live() -> None:
        for _ in range(30):
            await face.idle()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(live)
        tasks.start_soon(live)
        await collect(face.animate(stream([speech])))
    assert notes.most == 1
    assert len(notes.rows) == 60 + -(-speech.samples // 640)


async def test_between_speeches_three_of_four_still_pictures_are_the_one_before(speech: Audio):
    face, notes = session()
    notes.displaced = 0.1
    idle = [await face.idle() for _ in range(10)]
    assert [now is before for before, now in pairwise(idle)] == [
        True, True, True, False, True, True, True, False, True,
    ]  # fmt: skip
    painted = len(notes.rows)
    said = await collect(face.animate(stream([speech])))
    assert len(notes.rows) - painted == len(said)
    notes.displaced = 2.0  # pixels: a blink
    painted = len(notes.rows)
    for _ in range(4):
        await face.idle()
    assert len(notes.rows) - painted == 4


async def test_a_late_speech_goes_on_without_pictures_of_what_was_heard(speech: Audio):
    face, notes = session()
    shots: list[Shot] = []
    async with aclosing(face.animate(stream(in_chunks(speech, 3200)))) as made:
        async for shot in made:
            shots.append(shot)
            if len(shots) == 3:
                face.skip(8 * 640)
    bare = [n for n, shot in enumerate(shots) if shot.frame is None]
    assert bare == [3, 4, 5, 6, 7]
    assert np.array_equal(
        np.concatenate([shot.audio.pcm for shot in shots])[: speech.samples], speech.pcm
    )
    again = await collect(face.animate(stream([speech])))
    assert all(shot.frame is not None for shot in again)
    assert len(notes.rows) == 2 * len(again) - 5
