"""Telling the avatar's own voice, come back by the microphone, from somebody speaking.

A browser cancels most of the echo; what is left, or all of it where nothing cancels, comes
back some hundred milliseconds later at an unknown level, coloured by loudspeaker and room.
So what was played is compared by its energy in some bands, 100 times a second: the delay
is where both rise and fall together, the level is what is usual lately in each band, and what
exceeds the echo so predicted is somebody else's.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.dialogue.bands import BANDS, HOP, Bands
from realtime_avatar.hearing.activity import RATE
from realtime_avatar.media import Audio
from realtime_avatar.media.live import LivePlayout
from realtime_avatar.media.resample import Resampler

FADE: Final = 10**-0.1  # of a sound in a room, power a frame: 60 dB in 0.6 s

LONGEST: Final = 65  # frames: the most that the echo may be late
NEAR: Final = 4  # frames by which networks make the delay vary
KEPT: Final = 512  # frames that are remembered
COMPARED: Final = 200  # frames that the delay is found from
ALIKE: Final = 0.6  # correlation from which it counts as found
SETTLED: Final = 10  # frames of silence after which resampler and bands hold nothing else
RECENT: Final = 80  # frames by which an echo is told from somebody who speaks over it
CLOSELY: Final = 0.7  # correlation from which it is one; with somebody it is 0.6 at most, mostly
LEVELS: Final = 300  # frames that the levels are learnt from
FEW: Final = 30  # frames below which they are not known
MANY: Final = 150  # frames after which there is no echo if no delay was found
OFTEN: Final = 10  # looks from one reckoning of delay, levels and noise to the next

AUDIBLE: Final = 1e3  # mean power in a band below which nothing is played; samples are int16
USUAL: Final = 75  # percentile of the levels that the echo is taken to have
RARE: Final = 95  # and while its delay is not known
ABOVE: Final = 6.0  # power by which sound must exceed the echo that is due, and the noise
WINDOW: Final = 12  # frames that are looked at together
SHARE: Final = 0.15  # of their amplitudes: if more exceeds the echo, somebody speaks
LASTING: Final = 3  # looks in a row at which it must


class Echo:
    """Knows what was played and says whether it explains what the microphone hears."""

    def __init__(self) -> None:
        self._resampler = Resampler(RATE, prompt=True)
        self._taken = 0  # samples that it was given
        self._silent = 0  # frames for which nothing has been played
        self._speaker, self._ear = Bands(), Bands()
        self._played = _Ring(KEPT)  # with the room's reverberation
        self._heard, self._due = _Ring(KEPT), _Ring(KEPT)  # and what was played, as it is due
        self._ratios = _Ring(LEVELS)  # of these two, while something is played
        self._learnt = 0  # frames of which the ratios were taken, or never will be
        self._levels = self._noise = np.zeros(BANDS)
        self._ahead: float | None = None  # frames that were played before the first was heard
        self._delay: int | None = None  # frames
        self._looks = self._foreign_looks = 0
        self._start = 0  # sample of the microphone that its first frame begins with
        self._foreign: int | None = 0  # frame from which sound is not the echo

    @property
    def foreign_since(self) -> int | None:
        """First sample of the microphone from which speech is not the echo; None while it is."""
        return None if self._foreign is None else self._start + self._foreign * HOP

    def explains(self, start: int, end: int) -> bool:
        """Tell whether there was nothing but echo between two samples of the last seconds."""
        first, last = (start - self._start) // HOP, (end - self._start) // HOP
        audible = self._due.get(first, last).mean(1) > AUDIBLE
        return bool(audible.any()) and self._known and self._share(first, last) < SHARE

    async def follow(self, playout: LivePlayout) -> None:
        """Take all that is played out, until cancelled."""
        due: int | None = None
        async with playout.beats() as beats:
            async for beat in beats:
                audio = beat.audio
                if due is not None and audio.start > due:  # beats were lost in a stall
                    self.played(Audio.silence(audio.start - due, audio.rate, due))
                self.played(audio)
                due = audio.end

    def played(self, audio: Audio) -> None:
        """Take what is played now: consecutive beats of the playout, silent ones too."""
        frames, rest = divmod(audio.samples * RATE // HOP, audio.rate)
        self._silent = 0 if audio.pcm.any() else self._silent + frames
        if self._silent > SETTLED and not rest:  # most of a call; nothing is left in the filters
            energies = np.zeros((frames, BANDS))
        else:
            chunk = Audio(audio.pcm, audio.rate, self._taken)
            self._taken = chunk.end
            energies = self._speaker.push(self._resampler.push(chunk))
        for energy in energies:
            self._played.push(np.maximum(energy, self._played.newest * FADE))

    def hear(self, audio: Audio) -> None:
        """Take what the microphone hears, consecutive, at 16 kHz."""
        if not self._heard.count:
            self._start = audio.start
        for energy in self._ear.push(audio):
            due = self._expected()
            self._heard.push(energy)
            self._due.push(due)
        self._look()

    def _expected(self) -> NDArray[np.float64]:
        """Return what was played when the frame to come would have been, were it the echo."""
        ahead = self._played.count - self._heard.count
        if self._ahead is None or abs(ahead - self._ahead) > LONGEST:
            self._ahead = ahead
        self._ahead += (ahead - self._ahead) / 50
        now = self._heard.count + round(self._ahead)
        if self._delay is None:
            return self._played.get(now - LONGEST, now).max(0)
        return self._played.get(now - self._delay - NEAR, now - self._delay + NEAR + 1).max(0)

    def _look(self) -> None:
        now = self._heard.count
        audible = bool((self._due.get(now - WINDOW, now).mean(1) > AUDIBLE).any())
        if self._looks % OFTEN == 0 and now > LONGEST:
            self._reckon(audible)
        self._looks += 1
        if not audible:
            self._foreign_looks = 0
            if self._foreign is None:
                self._foreign = now
        elif self._known and self._share(now - WINDOW, now) > SHARE:
            self._foreign_looks += 1
            if self._foreign_looks == LASTING:
                self._foreign = now - WINDOW
            elif self._foreign_looks < LASTING:
                self._foreign = None
        else:
            self._foreign_looks, self._foreign = 0, None
        self._learn(now)

    def _learn(self, now: int) -> None:
        """Take the ratios of what is the echo; never those of somebody who speaks over it.

        Were they taken too, a person would be the loudest echo after a tenth of a second.
        But an echo that is louder than before seems to be a person too: while what is heard
        follows what was played, it is learnt whatever it seems to be.
        """
        end = now - WINDOW
        if self._foreign_looks:
            if not self._follows(now):
                if self._foreign is not None:
                    self._learnt = now
                return
            end = now
        first, self._learnt = self._learnt, max(self._learnt, end)
        heard, due = self._heard.get(first, end), self._due.get(first, end)
        for frame in np.flatnonzero(due.mean(1) > AUDIBLE):
            self._ratios.push(heard[frame] / (due[frame] + 1))

    def _follows(self, now: int) -> bool:
        """Whether loudness of late went with what was played, however loud it was."""
        if self._delay is None:
            return False
        heard, due = (_decibels(ring.get(now - RECENT, now)) for ring in (self._heard, self._due))
        heard, due = heard - heard.mean(0), due - due.mean(0)
        spread = np.sqrt((heard**2).sum() * (due**2).sum()) + 1e-9
        return bool((heard * due).sum() / spread >= CLOSELY)

    @property
    def _known(self) -> bool:
        """Whether enough was heard to tell what comes back, or that nothing does."""
        return self._ratios.count >= (MANY if self._delay is None else FEW)

    def _share(self, first: int, last: int) -> float:
        heard, due = self._heard.get(first, last), self._due.get(first, last)
        above = np.maximum(heard - ABOVE * (self._levels * due + self._noise), 0)
        return float(np.sqrt(above).sum() / (np.sqrt(heard).sum() + 1))

    def _reckon(self, audible: bool) -> None:
        """Learn the room again."""
        now = self._heard.count
        self._noise = np.percentile(self._heard.get(max(0, now - KEPT), now), 10, axis=0)
        if not audible:
            return
        self._find_delay()
        count = self._ratios.count
        ratios = self._ratios.get(max(0, count - LEVELS), count)
        if len(ratios):
            usual = RARE if self._delay is None else USUAL
            self._levels = np.percentile(ratios, usual, axis=0)

    def _find_delay(self) -> None:
        """Find the delay at which the loudness of what is heard follows what was played."""
        now = self._heard.count
        count = min(COMPARED, now)
        heard = _decibels(self._heard.get(now - count, now))
        heard -= heard.mean(0)
        end = now + round(self._ahead or 0)
        played = _decibels(self._played.get(end - count - LONGEST, end))
        windows = np.lib.stride_tricks.sliding_window_view(played, count, axis=0)
        spread = np.sqrt((windows.var(2).sum(1) * count) * (heard**2).sum()) + 1e-9
        alike = np.einsum("dbn,nb->d", windows, heard) / spread
        best = int(alike.argmax())
        if alike[best] >= ALIKE:
            if self._delay is None:
                self._ratios = _Ring(LEVELS)
            self._delay = LONGEST - best


class _Ring:
    """The newest frames of energies; what is not there, old or to come, is silence."""

    def __init__(self, size: int) -> None:
        self._size, self.count = size, 0
        self._frames = np.zeros((2 * size, BANDS))  # twice: whatever is asked for is in one piece

    @property
    def newest(self) -> NDArray[np.float64]:
        return self._frames[(self.count - 1) % self._size]

    def push(self, frame: NDArray[np.float64]) -> None:
        at = self.count % self._size
        self._frames[at] = self._frames[at + self._size] = frame
        self.count += 1

    def get(self, first: int, last: int) -> NDArray[np.float64]:
        """Return the frames from one to another, counted since the beginning; not to be changed."""
        oldest = max(0, self.count - self._size)
        if first >= oldest and last <= self.count:
            at = first % self._size
            return self._frames[at : at + max(0, last - first)]
        frames = np.zeros((max(0, last - first), BANDS))
        begin, end = max(first, oldest), min(last, self.count)
        if begin < end:
            frames[begin - first : end - first] = self.get(begin, end)
        return frames


def _decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return 10 * np.log10(power + AUDIBLE / 10)
