import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from realtime_avatar.media.audio import Audio, Phoneme, join
from realtime_avatar.media.resample import Resampler, resample, rescale

RATES = some.sampled_from([8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000])


def tone(samples: int, rate: int, hertz: float = 440.0) -> Audio:
    time = np.arange(samples) / rate
    return Audio((20000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16), rate, 0)


def cut(audio: Audio, lengths: list[int]) -> list[Audio]:
    edges = np.cumsum([0, *lengths])
    return [
        Audio(audio.pcm[a:b], audio.rate, audio.start + int(a))
        for a, b in itertools.pairwise(edges)
    ]


@given(
    RATES,
    RATES,
    some.lists(some.integers(0, 3000), max_size=12),
    some.integers(0, 10**7),
    some.booleans(),
)
def test_stream_is_consecutive_and_exact(
    rate: int, wanted: int, lengths: list[int], start: int, prompt: bool
) -> None:
    stream = Resampler(wanted, prompt=prompt)
    audio = Audio.silence(sum(lengths), rate, start)
    out = [stream.push(chunk) for chunk in cut(audio, lengths)]
    out.append(stream.flush())
    total = rescale(sum(lengths), rate, wanted)
    assert sum(chunk.samples for chunk in out) == total
    if lengths:
        assert out[0].start == rescale(start, rate, wanted)
    for before, after in itertools.pairwise(out):
        assert after.start == before.end
        assert after.rate == wanted


def test_chunks_sound_like_the_whole() -> None:
    audio = tone(24000, 24000)
    stream = Resampler(16000)
    out = [stream.push(chunk) for chunk in cut(audio, [1, 479, 5000, 0, 18520])]
    whole = resample(audio, 16000)
    assert np.array_equal(join([*out, stream.flush()]).pcm, whole.pcm)
    wanted = tone(16000, 16000)
    inner = slice(500, -500)
    assert np.abs(whole.pcm[inner].astype(int) - wanted.pcm[inner]).max() < 20


@pytest.mark.parametrize("rate", [8000, 24000, 44100, 48000])
def test_a_prompt_one_lags_by_a_millisecond_and_says_the_same(rate: int) -> None:
    audio, wanted = tone(rate, rate), tone(16000, 16000)
    stream, out = Resampler(16000, prompt=True), list[Audio]()
    for chunk in cut(audio, [rate // 50] * 50):
        out.append(stream.push(chunk))
        lag = chunk.end / rate - out[-1].end / 16000
        assert 0 <= lag <= 0.0021
    pcm = join([*out, stream.flush()]).pcm
    inner = slice(500, -500)
    assert np.abs(pcm[inner].astype(int) - wanted.pcm[inner]).max() < 20
    once = Resampler(16000, prompt=True)
    assert np.array_equal(join([once.push(audio), once.flush()]).pcm, pcm)


@pytest.mark.parametrize("prompt", [False, True])
def test_a_tone_above_the_new_band_is_gone(prompt: bool) -> None:
    stream = Resampler(16000, prompt=prompt)
    pcm = join([stream.push(tone(48000, 48000, 15000.0)), stream.flush()]).pcm
    assert np.abs(pcm[500:-500]).max() < 10


def test_loud_sound_is_clipped_not_wrapped() -> None:
    square = np.where(np.arange(8000) // 20 % 2 == 0, 32767, -32768).astype(np.int16)
    out = resample(Audio(square, 8000, 0), 16000).pcm
    assert out.max() == 32767
    assert out.min() == -32768
    middle = out[20:8000:80]  # the middle of each positive half wave
    assert (middle > 20000).all()


def test_words_and_phonemes_stay_where_they_were() -> None:
    stream = Resampler(48000)
    sounds = (Phoneme("h", 2000, 2400), Phoneme("aɪ", 2400, 4000))
    chunks = [
        Audio(np.zeros(2000, np.int16), 24000, 0, "Oh. "),
        Audio(np.zeros(2000, np.int16), 24000, 2000, "Hi.", sounds),
    ]
    out = [*map(stream.push, chunks), stream.flush()]
    assert "".join(chunk.text for chunk in out) == "Oh. Hi."
    found = [(chunk, p) for chunk in out for p in chunk.phonemes]
    assert [p for _, p in found] == [Phoneme("h", 4000, 4800), Phoneme("aɪ", 4800, 8000)]
    assert all(chunk.start <= p.start < chunk.end for chunk, p in found)


def test_same_rate_passes_through() -> None:
    audio = Audio(np.arange(10, dtype=np.int16), 16000, 5, "x")
    stream = Resampler(16000)
    assert stream.push(audio) is audio
    assert stream.flush().samples == 0
    assert stream.flush().start == 15


def test_nothing_in_nothing_out() -> None:
    assert Resampler(16000).flush().samples == 0
    assert resample(Audio.silence(0, 48000), 16000).samples == 0


@pytest.mark.parametrize(
    "second", [Audio.silence(10, 48000, 11), Audio.silence(10, 44100, 10)], ids=["gap", "rate"]
)
def test_a_broken_stream_is_refused(second: Audio) -> None:
    stream = Resampler(16000)
    stream.push(Audio.silence(10, 48000))
    with pytest.raises(ValueError, match="expected audio of 48000 Hz from sample 10"):
        stream.push(second)
