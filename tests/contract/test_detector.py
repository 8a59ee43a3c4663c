from pathlib import Path

import numpy as np
import pytest

from realtime_avatar.engines.ports import DetectorEngine, SpeechEnd, SpeechStart
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from realtime_avatar.media.read import read_audio
from streams import collect, in_chunks, stream

pytestmark = pytest.mark.anyio


@pytest.fixture
def speech(recordings: Path) -> Audio:
    """A second of silence, a sentence, a second and a half of silence."""
    said = read_audio(recordings / "arctic_a0009.wav")
    return join([Audio.silence(16_000, 16_000), said, Audio.silence(24_000, 16_000)])


@pytest.mark.parametrize("chunk", [320, 512, 16_000])
async def test_starts_and_ends_alternate_and_enclose_the_speech(
    detector_engine: DetectorEngine, speech: Audio, chunk: int
):
    async with detector_engine.open() as detector:
        events = await collect(detector.detect(stream(in_chunks(speech, chunk))))
    assert len(events) >= 2
    assert len(events) % 2 == 0
    assert all(isinstance(event, SpeechStart) for event in events[::2])
    assert all(isinstance(event, SpeechEnd) for event in events[1::2])
    assert [event.at for event in events] == sorted(event.at for event in events)
    # The sentence lies from 1.0 s to 4.1 s; its first and last 0.3 s are quiet.
    assert 10_000 <= events[0].at <= 24_000
    assert 50_000 <= events[-1].at <= speech.end


async def test_lengths_may_be_asked_for(detector_engine: DetectorEngine, speech: Audio):
    async with detector_engine.open(
        min_speech_ms=64, min_silence_ms=2000, padding_ms=0
    ) as detector:
        events = await collect(detector.detect(stream(in_chunks(speech, 320))))
    starts, ends = events[::2], events[1::2]
    assert all(end.at - start.at >= 1024 for start, end in zip(starts, ends, strict=True))
    pauses = [start.at - end.at for end, start in zip(ends[:-1], starts[1:], strict=True)]
    assert all(pause >= 32_000 for pause in pauses)


async def test_silence_and_nothing_give_nothing(detector_engine: DetectorEngine):
    async with detector_engine.open() as detector:
        assert await collect(detector.detect(stream([]))) == []
        silence = in_chunks(Audio.silence(48_000, 16_000), 512)
        assert await collect(detector.detect(stream(silence))) == []


async def test_speech_that_is_cut_off_ends_with_the_stream(
    detector_engine: DetectorEngine, speech: Audio
):
    cut = Audio(speech.pcm[:40_000], speech.rate, 0)
    async with detector_engine.open() as detector:
        events = await collect(detector.detect(stream(in_chunks(cut, 512))))
    assert isinstance(events[-1], SpeechEnd)
    assert events[-1].at <= cut.end


async def test_two_sessions_do_not_disturb_each_other(
    detector_engine: DetectorEngine, speech: Audio
):
    noise = Audio(np.zeros(speech.samples, np.int16), speech.rate, 0)
    async with detector_engine.open() as one, detector_engine.open() as other:
        heard, silence = one.detect(stream([speech])), other.detect(stream([noise]))
        first = await anext(heard)
        assert await collect(silence) == []
        rest = await collect(heard)
    assert isinstance(first, SpeechStart)
    assert isinstance(rest[-1], SpeechEnd)
