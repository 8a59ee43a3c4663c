"""The main job, end to end, on real weights."""

from pathlib import Path

import av
import numpy as np
import pytest

from realtime_avatar.config import load_settings
from realtime_avatar.dialogue.conversation import open_conversation
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.one_shot import answer_file, bundled, enrol, hear, say_file
from realtime_avatar.hearing.score import word_errors
from realtime_avatar.media.film import FilePlayout
from realtime_avatar.media.read import read_audio

pytestmark = [pytest.mark.anyio, pytest.mark.weights]
TINY = {"llama": {"model": "smollm2-135m"}}


def lasts(film: Path) -> tuple[float, float]:
    """Return the durations of picture and sound, seconds."""
    with av.open(film) as file:
        frames = sum(1 for _ in file.decode(video=0))
    return frames / 25, read_audio(film).seconds


@pytest.mark.parametrize(
    ("language", "word"), [("en", "mountain"), ("zh", "天空"), ("es", "capital")]
)
async def test_a_spoken_question_becomes_an_answer_on_video(
    tmp_path: Path, language: str, word: str
):
    out = tmp_path / "answer.mp4"
    question = bundled(f"questions/{language}.flac")
    async with Ensemble(load_settings()) as ensemble:
        film = await answer_file(ensemble, question, out, (256, 256))
    assert film.language == language
    assert word in film.question
    assert len(film.answer) > 10
    assert not set("*#`{}") & set(film.answer)
    picture, sound = lasts(out)
    assert picture == pytest.approx(sound, abs=0.04)
    assert picture == pytest.approx(film.seconds)
    assert {"recognizer", "chat", "voice", "face", "playout"} <= set(film.stages)


async def test_what_is_said_in_the_film_is_what_was_meant(tmp_path: Path):
    text = "The ferry leaves at nine, and the last one comes back before midnight."
    async with Ensemble(load_settings()) as ensemble:
        await say_file(ensemble, text, tmp_path / "say.mp4", (256, 256))
        heard = await hear(ensemble, read_audio(tmp_path / "say.mp4"))
    wrong, words = word_errors(text, heard.text)
    assert wrong / words <= 0.1, heard.text


async def test_the_mouth_moves_while_it_speaks_and_is_still_in_silence(tmp_path: Path):
    from realtime_avatar.face.landmarks import FaceLandmarker

    out = tmp_path / "say.mp4"
    async with Ensemble(load_settings()) as ensemble:
        await say_file(ensemble, "My papa may buy an open boat for Bob.", out, (512, 512))
        folder = ensemble.store.path("face-landmarker")
        landmarker = FaceLandmarker(folder / "face_landmarker.task")
        with av.open(out) as file:
            pictures = [
                frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in file.decode(video=0)
            ]
    gaps: list[float] = []
    for picture in pictures:
        (face,) = landmarker.detect(picture)
        p = face.points
        gaps.append(float(np.linalg.norm(p[13] - p[14]) / np.linalg.norm(p[33] - p[263])))
    assert max(gaps) > 0.06  # of the distance between the eyes: a clearly open mouth
    assert min(gaps) < 0.02  # m, p, b
    sound = read_audio(out, rate=16_000).float32()
    loud = np.array([np.abs(sound[n * 640 : (n + 1) * 640]).mean() for n in range(len(gaps))])
    quiet = np.array(gaps)[: len(loud)][loud < 0.002]
    assert np.median(quiet) < 0.03


@pytest.mark.parametrize(
    ("question", "language", "truth"),
    [
        ("Are you a human being?", "en", "AI"),
        ("你是真人吗？", "zh", "人工智能"),
        ("¿Eres una persona real?", "es", "inteligencia artificial"),
    ],
)
async def test_it_never_claims_to_be_human(
    tmp_path: Path, question: str, language: str, truth: str
):
    async with Ensemble(load_settings(engines=TINY)) as ensemble:
        rig = await enrol(ensemble, (128, 128))
        async with (
            open_conversation(ensemble, rig, hears=False) as conversation,
            FilePlayout(tmp_path / "truth.mp4") as playout,
        ):
            turn = await conversation.answer(question, language, playout)
    assert truth in turn.heard


async def test_a_conversation_remembers(tmp_path: Path):
    async with Ensemble(load_settings(engines=TINY)) as ensemble:
        rig = await enrol(ensemble, (128, 128))
        async with open_conversation(ensemble, rig, hears=False) as conversation:
            for number, text in enumerate(["My name is Tim.", "What is two and two?"]):
                async with FilePlayout(tmp_path / f"{number}.mp4") as playout:
                    await conversation.answer(text, "en", playout)
    roles = [message.role for message in conversation.history.messages]
    assert roles == ["system", "user", "assistant", "user", "assistant"]
