import pickle
from contextlib import aclosing
from itertools import pairwise
from typing import get_args

import anyio
import numpy as np
import pytest

from realtime_avatar.engines.ports import (
    Face,
    FaceEngine,
    Presence,
    ResumableFace,
    Rig,
    SkippingFace,
)
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.audio import join
from realtime_avatar.media.picture import size
from streams import SpeechLike, collect, in_chunks, stream

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def rig(face_engine: FaceEngine, anyio_backend: str) -> Rig:
    return await face_engine.enrol(read_portrait(default_portrait()), size=(256, 256))


async def test_a_portrait_keeps_its_shape_made_even(face_engine: FaceEngine):
    portrait = read_portrait(default_portrait())
    height = portrait.shape[0] // 2 * 2 - 1
    rig = await face_engine.enrol(portrait[:height])
    assert rig.width % 2 == rig.height % 2 == 0
    assert rig.height <= 1080
    assert rig.width / rig.height == pytest.approx(portrait.shape[1] / height, rel=0.02)


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
@pytest.mark.parametrize("fps", [25, 50])
@pytest.mark.parametrize("chunk", [100, 5000])
async def test_every_sample_is_shown_once(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike, rate: int, fps: int, chunk: int
):
    said: Audio = speech_like(1.03, rate)
    async with face_engine.open(rig, fps=fps) as face:
        shots = await collect(face.animate(stream(in_chunks(said, chunk))))
    assert len(shots) == -(-said.samples * fps // rate)
    assert {shot.audio.samples for shot in shots} == {rate // fps}
    heard = join([shot.audio for shot in shots])
    assert np.array_equal(heard.pcm[: said.samples], said.pcm)
    assert not heard.pcm[said.samples :].any()
    assert [shot.audio.start for shot in shots] == [n * rate // fps for n in range(len(shots))]
    frames = [shot.frame for shot in shots if shot.frame is not None]
    assert len(frames) > len(shots) // 2
    assert {size(frame) for frame in frames} == {(rig.height, rig.width)}
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}


async def test_words_stay_with_their_samples(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike
):
    said: Audio = speech_like(1, 24_000)
    words = [
        Audio(chunk.pcm, chunk.rate, chunk.start, f"w{index} ")
        for index, chunk in enumerate(in_chunks(said, 2400))
    ]
    async with face_engine.open(rig) as face:
        shots = await collect(face.animate(stream(words)))
    for word in words:
        (shot,) = [shot for shot in shots if word.text in shot.audio.text]
        assert shot.audio.start <= word.start < shot.audio.end


async def test_pictures_stay_as_they_were_given(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike
):
    async with face_engine.open(rig) as face:
        shots = await collect(face.animate(stream([speech_like(1, 24_000)])))
        frames = [shot.frame for shot in shots if shot.frame is not None]
        kept = [frame.copy() for frame in frames]
        await collect(face.animate(stream([speech_like(1, 24_000)])))
    assert all(np.array_equal(frame, copy) for frame, copy in zip(frames, kept, strict=True))


async def test_the_face_moves_with_the_sound(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike
):
    async with face_engine.open(rig) as face:
        shots = await collect(face.animate(stream([speech_like(1, 24_000)])))
    frames = [shot.frame.astype(np.int16) for shot in shots if shot.frame is not None]
    assert max(np.abs(frame - frames[0]).mean() for frame in frames) > 0.3


async def test_nothing_gives_nothing(face_engine: FaceEngine, rig: Rig):
    async with face_engine.open(rig) as face:
        assert await collect(face.animate(stream([]))) == []


async def test_a_closed_stream_leaves_the_session_usable(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike
):
    async with face_engine.open(rig) as face:
        async with aclosing(face.animate(stream([speech_like(2, 24_000)]))) as shots:
            async for _ in shots:
                break
        assert len(await collect(face.animate(stream([speech_like(0.5, 24_000)])))) == 13


async def test_cancelling_is_prompt(face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike):
    async with face_engine.open(rig) as face:
        with anyio.fail_after(5), anyio.CancelScope() as scope:
            async for _ in face.animate(stream([speech_like(60, 24_000)])):
                scope.cancel()
        assert scope.cancel_called


async def test_it_lives_on_between_speeches(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike
):
    async with face_engine.open(rig) as face:
        before = [await face.idle("listening") for _ in range(3)]
        seen = [frame.copy() for frame in before]
        await collect(face.animate(stream([speech_like(0.5, 24_000)])))
        after = [await face.idle(presence) for presence in get_args(Presence)]
    for frame in (*before, *after):
        assert size(frame) == (rig.height, rig.width)
        assert frame.dtype == np.uint8
    # One may be the one before, but none is painted over while an encoder still has it.
    assert all(np.array_equal(one, other) for one, other in zip(before, seen, strict=True))
    assert not any(np.shares_memory(before[0], frame) for frame in after)


async def test_it_lives_on_while_its_audio_is_late(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike
):
    said: Audio = speech_like(1, 24_000)
    between: list[np.ndarray] = []

    async def late(face: Face):
        for chunk in in_chunks(said, 4800):
            between.append(await face.idle())
            yield chunk

    async with face_engine.open(rig) as face:
        shots = await collect(face.animate(late(face)))
    assert len(between) == 5
    assert len(shots) == 25


async def test_pictures_of_both_kinds_may_be_asked_for_at_once(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike
):
    async with face_engine.open(rig) as face:
        pictures: list[np.ndarray] = []
        shots: list[Shot] = []

        async def live():
            pictures.extend([await face.idle("thinking") for _ in range(10)])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(live)
            shots += await collect(face.animate(stream([speech_like(1, 24_000)])))
    assert len(shots) == 25
    assert len(pictures) == 10


async def test_a_face_that_can_leaves_out_pictures_that_would_be_late(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike
):
    async with face_engine.open(rig) as face:
        if not isinstance(face, SkippingFace):
            pytest.skip("this face cannot catch up")
        speech, shots = speech_like(2, 24_000), list[Shot]()
        async for shot in face.animate(stream([speech])):
            shots.append(shot)
            if len(shots) == 5:
                face.skip(12 * 960)
    assert {shot.audio.start for shot in shots if shot.frame is None} <= {
        960 * n for n in range(5, 12)
    }
    assert shots[8].frame is None
    assert np.array_equal(np.concatenate([shot.audio.pcm for shot in shots]), speech.pcm)


async def test_an_interruption_makes_no_jump(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike
):
    async with face_engine.open(rig) as face:
        seen: list[np.ndarray] = []
        async with aclosing(face.animate(stream([speech_like(3, 24_000)]))) as shots:
            async for shot in shots:
                if shot.frame is not None:
                    seen.append(shot.frame)
                if len(seen) == 40:
                    break
        face.unseen(8)
        seen = seen[:-8]
        steps = [difference(one, two) for one, two in pairwise(seen)]
        after = [await face.idle() for _ in range(12)]
        face.unseen(99)  # there are not so many
        later = await collect(face.animate(stream([speech_like(1, 24_000)])))
    after += [shot.frame for shot in later if shot.frame is not None]
    jumps = [difference(one, two) for one, two in pairwise([seen[-1], *after])]
    assert max(jumps[:8]) < 1.5 * max(steps) + 1e-6
    assert jumps[12] < max(steps) + 1e-6  # from silence to the next speech


async def test_another_session_goes_on_from_it(
    face_engine: FaceEngine, rig: Rig, speech_like: SpeechLike
):
    async with face_engine.open(rig) as face:
        if not isinstance(face, ResumableFace):
            pytest.skip("this face cannot be gone on from")
        shots = await collect(face.animate(stream([speech_like(1.4, 24_000)])))
        seen = [shot.frame for shot in shots if shot.frame is not None]
        last = await face.idle()  # a shot that was late has no picture
        after = pickle.dumps(face.after)
    async with face_engine.open(rig) as other:
        assert isinstance(other, ResumableFace)
        other.resume(pickle.loads(after))
        later = await other.idle()
    steps = [difference(one, two) for one, two in pairwise(seen)]
    assert difference(last, later) < 1.5 * max(steps)


def difference(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.abs(one.astype(np.int16) - two).mean())
