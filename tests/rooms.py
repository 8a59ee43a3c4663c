"""Rooms in which a microphone hears a loudspeaker."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.dialogue.echo import Echo
from realtime_avatar.media import Audio
from realtime_avatar.media.resample import resample

RATE = 16_000
BEAT = 1920  # samples at 48 kHz


def echo_of(
    voice: Audio, decibels: float, delay: int, reverberation: float, noise: float = 5
) -> NDArray[np.float64]:
    """Return what comes back of a voice: as long as it is, 16 kHz.

    Args:
        voice: At 48 kHz.
        decibels: Of what comes back, against the voice.
        delay: Milliseconds.
        reverberation: Seconds in which the room's sound falls by 60 dB.
        noise: Of the room, root mean square, int16.
    """
    rng = np.random.default_rng(delay)
    length = round(reverberation * RATE)
    response = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    response *= 0.7 / np.sqrt((response**2).sum())
    response[0] = 1
    # A small loudspeaker has no bass, and colours the rest.
    frequency = np.fft.rfftfreq(4 * length, 1 / RATE)
    colour = np.interp(frequency, [0, 500, 1000, 2000, 4000, 8000], rng.uniform(-4, 4, 6))
    bass = (frequency / 300) ** 2 / np.sqrt(1 + (frequency / 300) ** 4)
    response = np.fft.irfft(np.fft.rfft(response, 4 * length) * bass * 10 ** (colour / 20))
    said = resample(voice, RATE).pcm.astype(float)
    heard = np.convolve(np.pad(said, (delay * RATE // 1000, 0)), response[:length])[: len(said)]
    return heard * 10 ** (decibels / 20) + rng.normal(0, noise, len(said))


def played_to(
    echo: Echo, voice: Audio, heard: NDArray[np.float64], start: int = 0
) -> Iterator[Audio]:
    """Yield what a microphone hears in chunks of 20 ms while a voice is played in beats.

    Both come a little early or late, as over a network.
    """
    rng = np.random.default_rng(2)
    pcm = np.clip(heard, -32768, 32767).astype(np.int16)
    beat = 0
    for at in range(0, len(pcm) - 320, 320):
        now = (at + 320) / RATE + rng.uniform(-0.015, 0.015)
        while beat < now * 48_000 and beat < voice.samples:
            echo.played(Audio(voice.pcm[beat : beat + BEAT], voice.rate, beat))
            beat += BEAT
        yield Audio(pcm[at : at + 320], RATE, start + at)
