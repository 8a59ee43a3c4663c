"""From sound of the acoustic model to audio: trimmed, levelled, cut into chunks with text.

Kokoro and hibari predict for each symbol how many frames of 25 ms it takes, which gives the
time of each phoneme and of each word.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.media import Audio, Phoneme
from realtime_avatar.media.audio import to_int16
from realtime_avatar.voice.clauses import Ending
from realtime_avatar.voice.phonemes import IPA, MARKS, PAUSES, STRESSES
from realtime_avatar.voice.reading import Utterance

RATE: Final = 24_000
"""Of both models, Hz."""

FRAME: Final = 600
"""Samples of one unit of duration: 25 ms."""

CHUNK: Final = 4_800
"""Samples of a chunk, 200 ms: five pictures at 25 fps."""

_PAUSES: Final = {
    Ending.WORD: 1_200,
    Ending.COMMA: 3_600,
    Ending.SENTENCE: 7_200,
    Ending.PARAGRAPH: 10_800,
}
"""Samples of silence after a clause: 50, 150, 300, 450 ms."""

_BEFORE: Final = 480
"""Samples kept before the first sound, 20 ms."""
_AFTER: Final = 1_440
"""Samples kept after the last sound, 60 ms: the voice rings off."""
_FADE: Final = 120
"""Samples of the ramps at both ends, 5 ms."""
_LATE: Final = 1_320
"""Samples by which the predicted times run late, 55 ms: where the loudness of low frequencies
agrees best with vowels and consonants (45 to 65 ms, both models, all languages)."""

_SEAM: Final = 240
"""Samples over which two versions are faded into each other, and by which the place may move,
10 ms: a period of the lowest voice."""

_LEVEL: Final = 0.1
"""Root mean square of speech, pauses left out: -20 dBFS."""
_PEAK: Final = 0.89
"""Highest sample: -1 dBFS."""
_PRIOR_SECONDS: Final = 0.5
"""How much speech the expected level of a voice weighs as."""


class Delivery:
    """Joins the utterances of one speech.

    Args:
        level: Root mean square that the voice is expected to have, nominal samples.
    """

    def __init__(self, level: float) -> None:
        self._position = 0
        self._pause = 0
        self._unsaid = ""
        self._heard = _PRIOR_SECONDS * RATE
        self._level = float(np.log(level))  # mean over what was heard
        self._seam: _Seam | None = None

    @property
    def midway(self) -> bool:
        """Whether only a beginning of the newest utterance was heard."""
        return self._seam is not None

    def carry(self, text: str) -> None:
        """Take text that makes no sound; it goes with the next sound."""
        self._unsaid += text

    def chunks(
        self,
        utterance: Utterance,
        wave: NDArray[np.float32],
        durations: NDArray[np.int64],
        *,
        until: int | None = None,
    ) -> list[Audio]:
        """Return an utterance as the next chunks of the speech.

        After a beginning, only what follows it; both versions are joined where their waves
        are most alike (Verhelst and Roelands, "WSOLA", ICASSP 1993).

        Args:
            utterance: What is said.
            wave: Its sound, shape (samples,), nominally in [-1, 1].
            durations: Frames of 25 ms that each symbol takes, shape (symbols + 2,): the
                first and the last are of the silence before and after.
            until: Words to be heard, if it is a beginning of what will come again, longer;
                all of them, and the end of it, if None.
        """
        first, last = _bounds(wave)
        if until is not None:
            last = len(wave)  # a pause may follow, which is not over
        starts = np.concatenate(([0], np.cumsum(durations))) * FRAME - _LATE - first
        seam = self._seam or _Seam(0, self._gain(wave), np.zeros(0, np.float32))
        gain = min(seam.gain, _PEAK / max(float(np.abs(wave).max()), 1e-6))
        sound = _ramps(wave[first:last] * gain)
        begins = [min(max(int(starts[at + 1]), 0), len(sound)) for _, at in utterance.pieces]
        begin = seam.join(sound, begins[seam.words]) if seam.words else 0
        end = len(sound) if until is None else max(begins[until], begin)
        pcm, length = to_int16(sound[begin:end]), end - begin
        starts = np.clip(starts - begin, 0, length)
        if seam.words:  # what was heard of the word before is no sound of its own
            symbol = utterance.pieces[seam.words][1]
            starts[: symbol + 1] = starts[symbol + 1]
        origin = self._position + self._pause
        pieces = [
            (text, min(int(starts[at + 1]), length - 1))
            for text, at in utterance.pieces[seam.words : until]
        ]
        pieces = _spread(self._unsaid, pieces)
        phonemes = list(_phonemes(utterance.symbols, starts, origin))
        pcm = np.concatenate([np.zeros(self._pause, np.int16), pcm])
        chunks = [
            Audio(
                pcm=pcm[at : at + CHUNK],
                rate=RATE,
                start=self._position + at,
                text="".join(
                    text for text, begin in pieces if at <= self._pause + begin < at + CHUNK
                ),
                phonemes=tuple(
                    phoneme
                    for phoneme in phonemes
                    if at <= phoneme.start - self._position < at + CHUNK
                ),
            )
            for at in range(0, len(pcm), CHUNK)
        ]
        self._position += len(pcm)
        self._unsaid = ""
        if until is None:
            self._seam, self._pause = None, _PAUSES[utterance.ending]
        else:
            self._seam, self._pause = _Seam(until, gain, sound[end : end + _SEAM]), 0
        return chunks

    def finish(self) -> list[Audio]:
        """Return the silence after the last sound, in which a mouth closes, with text left over.

        Nothing if nothing was said.
        """
        if not self._position:
            return []
        return [Audio(np.zeros(CHUNK, np.int16), RATE, self._position, self._unsaid)]

    def _gain(self, wave: NDArray[np.float32]) -> float:
        """Return the factor that brings this voice, as heard so far, to the common level."""
        levels = _levels(wave)
        active = levels > levels.max() * 0.1
        new = float(active.sum()) * _HOP
        level = float(np.log(np.square(levels[active]).mean())) / 2
        self._heard += new
        self._level += (level - self._level) * new / self._heard
        return _LEVEL / float(np.exp(self._level))


def trimmed(wave: NDArray[np.float32]) -> Audio:
    """Return the sound of one utterance without the silence at its ends."""
    first, last = _bounds(wave)
    peak = max(float(np.abs(wave).max()), 1e-6)
    return Audio(to_int16(wave[first:last] * (_PEAK / peak)), RATE, 0)


@dataclass(frozen=True, slots=True)
class _Seam:
    """Where a beginning broke off.

    Attributes:
        words: That were heard of it.
        gain: With which it was heard.
        after: What would have followed, shape (samples,), at most `_SEAM`.
    """

    words: int
    gain: float
    after: NDArray[np.float32]

    def join(self, sound: NDArray[np.float32], near: int) -> int:
        """Return the best place near a sample to go on from, and fade what was heard into it."""
        size = min(len(self.after), len(sound) - near)
        if size < 2 * _FADE:
            return near
        after = self.after[:size]
        least = 1e-3 * float(np.linalg.norm(after))

        def likeness(at: int) -> float:
            part = sound[at : at + size]
            if len(part) < size:
                return -1.0
            apart = abs(at - near) / _SEAM  # of places as alike, the nearest
            return float(after @ part) / float(np.linalg.norm(part) + 1e-6) - least * apart

        at = max(range(max(near - _SEAM, 0), near + _SEAM + 1, 4), key=likeness)
        fade = np.sin(np.linspace(0, np.pi / 2, size, dtype=np.float32)) ** 2
        sound[at : at + size] = sound[at : at + size] * fade + after * (1 - fade)
        return at


_HOP: Final = 120


def _levels(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the root mean square of each 5 ms."""
    frames = wave[: len(wave) // _HOP * _HOP].reshape(-1, _HOP)
    return np.sqrt(np.square(frames).mean(axis=1) + 1e-12)


def _bounds(wave: NDArray[np.float32]) -> tuple[int, int]:
    """Return the first sample to keep, and the first not to keep."""
    levels = _levels(wave)
    loud = np.flatnonzero(levels > max(float(levels.max()) * 0.01, 1e-4))
    if not len(loud):
        return 0, len(wave)
    first = max(int(loud[0]) * _HOP - _BEFORE, 0)
    return first, min(int(loud[-1] + 1) * _HOP + _AFTER, len(wave))


def _ramps(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    ramp = np.sin(np.linspace(0, np.pi / 2, min(_FADE, len(wave)), dtype=np.float32)) ** 2
    wave = wave.copy()
    wave[: len(ramp)] *= ramp
    wave[len(wave) - len(ramp) :] *= ramp[::-1]
    return wave


def _spread(unsaid: str, pieces: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Put silent text before the first word, which begins with the sound."""
    if not pieces:
        return [(unsaid, 0)] if unsaid else []
    return [(unsaid + pieces[0][0], 0), *pieces[1:]]


def _phonemes(symbols: str, starts: NDArray[np.int64], origin: int) -> Iterator[Phoneme]:
    """Yield the sounds among the symbols; a mark's time goes to the sound that it marks.

    Args:
        symbols: Of the utterance.
        starts: Where each begins, after the silence before them, samples.
        origin: Sample of the stream at which the utterance begins.
    """
    sounds: list[tuple[str, int, int]] = []
    begin = -1
    for index, symbol in enumerate(symbols):
        start, end = int(starts[index + 1]), int(starts[index + 2])
        if symbol in STRESSES:
            begin = start
        elif symbol in MARKS and sounds:
            name, first, _ = sounds[-1]
            sounds[-1] = (name + (symbol if symbol in "ːʰʲ̃" else ""), first, end)
        elif symbol == " " and sounds and sounds[-1][2] == start:
            sounds[-1] = (*sounds[-1][:2], end)
        elif symbol not in PAUSES:
            sounds.append((IPA.get(symbol, symbol), start if begin < 0 else begin, end))
            begin = -1
    for name, start, end in sounds:
        if end > start:
            yield Phoneme(name, origin + start, origin + end)
