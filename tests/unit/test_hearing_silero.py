from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

from realtime_avatar.engines.ports import SpeechEnd, SpeechStart
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import ConfigError, ModelMissing
from realtime_avatar.hearing import silero
from realtime_avatar.hearing.silero import Silero, SpeechProbability, open_silero
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from realtime_avatar.media.read import read_audio
from realtime_avatar.media.resample import resample
from realtime_avatar.models.store import ModelStore
from streams import collect, in_chunks, stream

pytestmark = pytest.mark.anyio


@pytest.fixture
def speech(recordings: Path) -> Audio:
    """Two sentences with a second of silence before, between and after."""
    pause = Audio.silence(16000, 16000)
    one, two = (read_audio(recordings / f"arctic_a000{n}.wav") for n in (7, 9))
    return join([pause, one, pause, two, pause])


async def events(audio: Audio, chunk: int, **options: float) -> list[SpeechStart | SpeechEnd]:
    engine = Silero(Context(ModelStore(), options=options))
    async with engine.open() as detector:
        return await collect(detector.detect(stream(in_chunks(audio, chunk))))


@pytest.mark.parametrize("lengths", [[1], [511, 2, 700], [5000], [160]])
def test_probabilities_do_not_depend_on_the_chunks(speech: Audio, lengths: list[int]) -> None:
    samples = speech.float32()[:20000]
    whole = SpeechProbability(open_silero())
    wanted = np.concatenate([whole.push(samples), whole.flush()])
    assert len(wanted) == 40  # 39 full windows and one that is filled up
    assert whole.flush().size == 0
    parts, at, turn = SpeechProbability(open_silero()), 0, 0
    figures: list[np.ndarray] = []
    while at < len(samples):
        step = lengths[turn % len(lengths)]
        figures.append(parts.push(samples[at : at + step]))
        at, turn = at + step, turn + 1
    figures.append(parts.flush())
    assert np.allclose(np.concatenate(figures), wanted, atol=0.011)  # it rounds to 0.01


async def test_sentences_are_found(speech: Audio) -> None:
    found = [event.at / 16000 for event in await events(speech, 320)]
    # The first is said from 1.4 to 4.5 s, the second from 6.2 to 8.9 s; padding is 0.2 s.
    assert found == pytest.approx([1.2, 4.7, 6.0, 9.1], abs=0.15)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
async def test_events_are_in_the_samples_of_the_input(speech: Audio, rate: int) -> None:
    wanted = np.array([event.at / 16000 for event in await events(speech, 320)])
    there = resample(speech, rate)
    shifted = Audio(there.pcm, rate, start=12345)
    found = await events(shifted, rate // 50)
    assert np.allclose([(event.at - 12345) / rate for event in found], wanted, atol=0.1)


async def test_one_large_chunk_gives_what_many_small_ones_give(speech: Audio) -> None:
    assert await events(speech, 10**9) == await events(speech, 320) == await events(speech, 777)


async def test_a_longer_silence_may_be_asked_for(speech: Audio) -> None:
    (start, end) = await events(speech, 320, min_silence_ms=3000)
    assert end.at - start.at > 7 * 16000


async def test_an_event_is_told_in_time(speech: Audio) -> None:
    heard: list[int] = []  # samples that the detector had taken at each event

    async def listened():
        for chunk in in_chunks(speech, 320):
            taken.append(chunk.end)
            yield chunk

    taken: list[int] = []
    found: list[int] = []
    async with Silero(Context(ModelStore())).open() as detector:
        async for event in detector.detect(listened()):
            heard.append(taken[-1])
            found.append(event.at)
    delays = (np.array(heard) - np.array(found)) / 16000
    assert (delays[::2] < 0.5).all()  # min_speech and padding
    assert (delays[1::2] < 0.4).all()  # min_silence, less the padding


@pytest.mark.parametrize(
    "options", [{"start": 1.5}, {"min_silence_ms": 0}, {"padding_ms": -1}, {"threshold": 0.5}]
)
def test_options_that_make_no_sense(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Silero(Context(ModelStore(), options=options))


def test_missing_weights_are_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nothing(_: str) -> None:
        return None

    def older(_: str) -> ModuleSpec:
        return ModuleSpec("faster_whisper", None, origin=str(tmp_path / "__init__.py"))

    monkeypatch.setattr(silero, "find_spec", nothing)
    with pytest.raises(ModelMissing, match="pip install faster-whisper"):
        open_silero()
    monkeypatch.setattr(silero, "find_spec", older)
    with pytest.raises(ModelMissing, match=r"silero_vad_v6\.onnx"):
        open_silero()
