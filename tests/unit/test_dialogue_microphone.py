import numpy as np
import pytest

from realtime_avatar.dialogue.microphone import Microphone
from realtime_avatar.media import Audio

RATE = 16_000


def filled(seconds: int, start: int = 0) -> Microphone:
    microphone = Microphone()
    for at in range(0, seconds * RATE, 320):
        pcm = np.arange(at, at + 320).astype(np.int16)
        microphone.push(Audio(pcm, RATE, start + at))
    return microphone


@pytest.mark.parametrize(("start", "end"), [(0, 320), (100, 101), (319, 641), (5000, 16_000)])
def test_any_stretch_can_be_had(start: int, end: int):
    sound = filled(2, start=1000).sound(1000 + start, 1000 + end)
    assert sound.start == 1000 + start
    assert np.array_equal(sound.pcm, np.arange(start, end).astype(np.int16))


def test_only_what_is_held_can_be_had():
    microphone = filled(4)
    microphone.forget(3 * RATE)
    sound = microphone.sound(0, 10 * RATE)
    assert (sound.start, sound.end) == (3 * RATE, 4 * RATE)
    assert microphone.sound(5 * RATE, 6 * RATE).samples == 0
    assert Microphone().sound(0, 100).samples == 0


def test_little_is_held_however_long_it_goes_on():
    microphone = Microphone()
    for at in range(0, 60 * RATE, 320):
        microphone.push(Audio.silence(320, RATE, at))
        microphone.forget(microphone.end - RATE)
    assert microphone.sound(0, microphone.end).seconds <= 2.02


@pytest.mark.parametrize("chunk", [Audio.silence(1, 8000, RATE), Audio.silence(1, RATE, 7)])
def test_another_stream_is_refused(chunk: Audio):
    with pytest.raises(ValueError, match="expected audio of 16000 Hz from sample 16000"):
        filled(1).push(chunk)
