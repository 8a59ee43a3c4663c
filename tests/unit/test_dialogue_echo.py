"""The avatar's own voice, as a loudspeaker, a room and a network bring it back."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.dialogue.echo import Echo
from realtime_avatar.media import Audio
from realtime_avatar.media.read import read_audio
from realtime_avatar.media.resample import resample
from rooms import RATE, echo_of, played_to

Sound = NDArray[np.float64]
SPOKEN = slice(2, 11)  # seconds of the stream in which the avatar speaks


@pytest.fixture(scope="module")
def voice() -> Audio:
    """Ten seconds of a voice at 48 kHz, a second of silence before and two after."""
    speech = resample(read_audio(DATA / "jfk.wav"), 48_000).pcm[:480_000]
    return Audio(np.pad(speech, (48_000, 96_000)), 48_000, 0)


@pytest.fixture(scope="module")
def person() -> Sound:
    return read_audio(DATA / "arctic_a0009.wav").pcm.astype(float)


DATA = Path(__file__).parents[2] / "src/realtime_avatar/data/speech"


def foreign_times(voice: Audio, heard: Sound, echo: Echo | None = None) -> list[float]:
    """Return the seconds at which loud sound was not explained."""
    echo = echo or Echo()
    loud = np.abs(heard).max() * 0.05
    found: list[float] = []
    for chunk in played_to(echo, voice, heard):
        echo.hear(chunk)
        if echo.foreign_since is not None and np.abs(chunk.pcm).max() > loud:
            found.append(chunk.end / RATE)
    return found


@pytest.mark.parametrize(
    ("decibels", "delay", "reverberation"),
    [(-6, 60, 0.2), (-12, 200, 0.4), (-20, 320, 0.5), (-30, 480, 0.6)],
)
def test_the_avatars_own_voice_is_explained(
    voice: Audio, decibels: float, delay: int, reverberation: float
):
    heard = echo_of(voice, decibels, delay, reverberation)
    echo = Echo()
    assert foreign_times(voice, heard, echo) == []
    assert echo.explains(8 * RATE, 9 * RATE)
    assert echo.foreign_since is not None  # it fell silent, two seconds ago


@pytest.mark.parametrize(
    ("decibels", "delay", "reverberation"),
    [(-6, 60, 0.2), (-12, 200, 0.4), (-20, 320, 0.5), (-30, 480, 0.6)],
)
@pytest.mark.parametrize("at", [6, 7.5])
def test_somebody_speaking_over_it_is_not(
    voice: Audio, person: Sound, decibels: float, delay: int, reverberation: float, at: float
):
    heard = echo_of(voice, decibels, delay, reverberation)
    begin = round(at * RATE)
    same = np.abs(heard).max() / np.abs(person).max()
    heard[begin : begin + len(person)] += person[: len(heard) - begin] * same
    onset = at + np.flatnonzero(np.abs(person) > 0.1 * np.abs(person).max())[0] / RATE
    echo = Echo()
    first = foreign_times(voice, heard, echo)[0]
    assert 0 < first - onset <= 0.2
    assert not echo.explains(begin, begin + RATE)


@pytest.mark.parametrize("decibels", [None, -20, -12])
def test_who_goes_on_speaking_over_it_never_becomes_its_echo(
    voice: Audio, person: Sound, decibels: float | None
):
    heard = np.zeros(voice.samples // 3) + np.random.default_rng(1).normal(0, 5, voice.samples // 3)
    if decibels is not None:
        heard += echo_of(voice, decibels, 200, 0.4)[: len(heard)]
    said = person * max(0.3, np.abs(heard).max() / np.abs(person).max())  # as loud as the echo
    spoken = [(at, at + 1.2) for at in (4.0, 5.6, 7.2, 8.8)]
    for start, end in spoken:
        first, last = round(start * RATE), round(end * RATE)
        heard[first:last] += said[RATE // 2 :][: last - first]
    echo = Echo()
    for chunk in played_to(echo, voice, heard):
        echo.hear(chunk)
        for start, end in spoken:
            if end * RATE <= chunk.end < end * RATE + 320:
                assert not echo.explains(round(start * RATE), round(end * RATE)), start


@pytest.mark.parametrize(("decibels", "louder"), [(-30, 10), (-20, 10), (-20, 4), (-12, 3)])
def test_an_echo_that_grows_louder_is_learnt_within_three_seconds(
    voice: Audio, decibels: float, louder: float
):
    heard = echo_of(voice, decibels, 200, 0.4)
    heard[6 * RATE :] *= louder
    assert max(foreign_times(voice, heard), default=0) < 9


def test_with_headphones_nothing_is_echo(voice: Audio, person: Sound):
    heard = np.zeros(voice.samples // 3) + np.random.default_rng(1).normal(0, 5, voice.samples // 3)
    heard[6 * RATE : 6 * RATE + len(person)] += person / 4
    onset = 6 + np.flatnonzero(np.abs(person) > 0.1 * np.abs(person).max())[0] / RATE
    assert -0.02 < foreign_times(voice, heard)[0] - onset <= 0.2


def test_as_long_as_nothing_was_played_nothing_is_echo(person: Sound):
    echo = Echo()
    for at in range(0, len(person) - 320, 320):
        assert echo.foreign_since == 0
        echo.hear(Audio(person[at : at + 320].astype(np.int16), RATE, at))
    assert echo.foreign_since == 0
    assert not echo.explains(0, RATE)


def test_samples_count_like_the_microphones(voice: Audio):
    heard = echo_of(voice, -12, 100, 0.3)
    echo = Echo()
    for chunk in played_to(echo, voice, heard, start=10**6):
        echo.hear(chunk)
    assert echo.foreign_since is not None
    # The voice ends at 11 s, its echo half a second later.
    assert 11 <= (echo.foreign_since - 10**6) / RATE <= 12.2
