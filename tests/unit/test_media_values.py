import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_avatar.errors import ConfigError
from realtime_avatar.media import ARKIT, Audio, Phoneme
from realtime_avatar.media.audio import join, to_int16
from realtime_avatar.media.frames import FrameCutter
from realtime_avatar.media.language import guess_language


def ramp(samples: int, start: int = 0, text: str = "") -> Audio:
    return Audio(np.arange(start, start + samples, dtype=np.int16), 24_000, start, text)


def test_audio_counts_samples():
    audio = ramp(2400, 1200)
    assert (audio.samples, audio.end, audio.seconds) == (2400, 3600, 0.1)
    assert audio.float32().dtype == np.float32
    assert np.array_equal(to_int16(audio.float32()), audio.pcm)


def test_float_samples_are_clipped():
    assert to_int16(np.array([-2, -1, 1, 2], np.float32)).tolist() == [-32768, -32768, 32767, 32767]


def test_joining_keeps_words_and_refuses_different_rates():
    assert join([ramp(3, text="a "), ramp(3, 3, "b")]).text == "a b"
    with pytest.raises(ValueError, match="rates"):
        join([ramp(3), Audio.silence(3, 16_000)])
    with pytest.raises(ValueError, match="no audio"):
        join([])


def test_arkit_has_52_weights_in_alphabetical_order():
    assert len(ARKIT) == 52
    assert list(ARKIT) == sorted(ARKIT)


@given(st.lists(st.integers(0, 3000), max_size=8))
def test_frames_are_the_same_however_the_audio_was_cut(lengths: list[int]):
    cutter = FrameCutter(25)
    frames: list[Audio] = []
    at = 0
    for length in lengths:
        chunk = ramp(length, at, f"{at} " if length else "")
        frames += cutter.push(chunk)
        at = chunk.end
    frames += cutter.finish()
    assert all(frame.samples == 960 for frame in frames)
    assert len(frames) == -(-at // 960)
    assert [frame.start for frame in frames] == [960 * n for n in range(len(frames))]
    if frames:
        whole = join(frames)
        assert np.array_equal(whole.pcm[:at], np.arange(at))
        assert not whole.pcm[at:].any()
    for frame in frames:
        assert all(frame.start <= int(word) < frame.end for word in frame.text.split())


def test_phonemes_stay_with_their_samples():
    sounds = (Phoneme("h", 0, 900), Phoneme("aɪ", 960, 1900))
    cutter = FrameCutter(25)
    first, second = cutter.push(Audio(np.zeros(1920, np.int16), 24_000, 0, "hi", sounds))
    assert first.phonemes == sounds[:1]
    assert second.phonemes == sounds[1:]


def test_a_rate_that_does_not_divide_is_an_error():
    with pytest.raises(ConfigError, match="22051"):
        list(FrameCutter(25).push(Audio.silence(10, 22_051)))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France?", "en"),
        ("Sure!", "en"),
        ("¿Cuál es la capital de España?", "es"),
        ("Hola, gracias por todo", "es"),
        ("Madrid es una ciudad muy bonita", "es"),
        ("今天天气怎么样？", "zh"),
        ("我喜欢 Python 编程", "zh"),
        ("The word 你好 means hello", "en"),
        ("", "en"),
        ("12345", "en"),
        ("🙂", "en"),
    ],
)
def test_the_language_of_a_text_is_guessed(text: str, language: str):
    assert guess_language(text) == language


def test_only_the_languages_in_question_are_guessed():
    assert guess_language("¿Cuál es la capital?", ["zh"]) == "zh"
    assert guess_language("今天天气怎么样？", ["es", "en"]) == "es"
