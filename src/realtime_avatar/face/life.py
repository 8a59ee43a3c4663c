"""What a face does beside speaking: it blinks, looks, sways, nods, breathes and listens.

One clock, in frames, that runs through speech and silence alike, and one seed: the same
seed and the same prosody give the same life.

Sources of the numbers: blinks every 2 to 6 s, log-normally spread, more at the ends of
phrases (Bentivoglio et al. 1997); quick to close, slower to open; glances that last a
second or two (Lee, Badler and Badler, "Eyes Alive", 2002); nods and brows with the
stresses of speech (Busso et al. 2007).
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.ports import Presence
from realtime_avatar.face.prosody import PAUSE, SPEAKING, STRESS
from realtime_avatar.media.motion import ARKIT, INDEX

_CLOSING, _OPENING = 0.135, 0.2  # seconds of a blink
_INTERVAL: Final = 3.6  # seconds between blinks, median
_SWAY: Final = np.radians((2.6, 1.3, 1.3))  # yaw, pitch, roll: bounds while speaking
_SWAY_IDLE: Final = 0.65  # of that between words
_BREATH: Final = 0.24  # Hz
_NOD: Final = np.radians(2.0)
_ATTENTION, _POSTURE = 8.0, 5.0  # rad/s of springs: brows are there in 0.5 s, a head in 0.8
_TILT, _LEAN = np.radians(2.0), 0.02  # of a listener: radians of roll, eye distances forward
_ASIDE: Final = 0.13  # how far the head goes with a thinker's glance of 1, radians
_TAKING_IN: Final = 0.7  # seconds for which somebody who was asked keeps still before they think
_STILLNESS: Final = 0.9  # share of their sway and breath that stops
_TURN, _RAISE = 1 / 0.43, 1 / 0.3  # gaze of 1 is 25 degrees across, 17 up or down
_SMOOTHING: Final = 10.0  # rad/s of the springs that heads and brows hang on
_SACCADE: Final = 0.02  # seconds, time constant

# How often a look goes elsewhere rather than to the viewer.
_GLANCES: Final[dict[Presence, float]] = {
    "idle": 0.25, "listening": 0.05, "nodding": 0.05, "thinking": 0.9,
}  # fmt: skip

_BLINK: Final = [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]
_SQUINT: Final = [INDEX["eyeSquintLeft"], INDEX["eyeSquintRight"]]
_INNER: Final = INDEX["browInnerUp"]
_SMILE: Final = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]
_FROWN: Final = [INDEX["browDownLeft"], INDEX["browDownRight"]]
_OUTER: Final = [INDEX["browOuterUpLeft"], INDEX["browOuterUpRight"]]
_LEFTWARD: Final = [INDEX["eyeLookOutLeft"], INDEX["eyeLookInRight"]]
_RIGHTWARD: Final = [INDEX["eyeLookInLeft"], INDEX["eyeLookOutRight"]]
_UPWARD: Final = [INDEX["eyeLookUpLeft"], INDEX["eyeLookUpRight"]]
_DOWNWARD: Final = [INDEX["eyeLookDownLeft"], INDEX["eyeLookDownRight"]]


class Life:
    """The life of one face.

    Args:
        fps: Frames a second.
        seed: Of everything that is left to chance.
    """

    def __init__(self, fps: int, seed: int = 0) -> None:
        self._dt = 1 / fps
        self._random = np.random.default_rng(seed)
        self._time = 0.0
        self._blink = _Blink(self._random)
        self._gaze = _Gaze(self._random)
        # Sway: a few slow sines for each axis, of no common period.
        self._tones = self._random.uniform(0.05, 0.33, (3, 4))
        self._phases = self._random.uniform(0, 2 * np.pi, (3, 4))
        self._parts = np.array((0.4, 0.3, 0.2, 0.1)) * _SWAY[:, None]
        self._liveliness = _Spring(2.0)  # 0 idle, 1 speaking
        self._nod, self._tilt = _Spring(_SMOOTHING), _Spring(_SMOOTHING / 2)
        self._brow = _Spring(_SMOOTHING)
        self._nods, self._brows = _Pulses(0.22), _Pulses(0.3)
        self._lean = 0.0
        self._side = float(self._random.choice((-1, 1)))  # to which it tilts to listen
        self._presence: Presence = "idle"
        self._asked: Presence = "idle"  # presence that is to come
        self._takes_in = 0.0  # seconds until it does
        self._still = _Spring(_ATTENTION)
        self._listens, self._thinks = _Spring(_ATTENTION), _Spring(_ATTENTION)
        self._posture = _Spring(_POSTURE)
        self._assent, self._assents = _Spring(_SMOOTHING), _Pulses(0.24)
        self._chest, self._inhalations = _Spring(_SMOOTHING / 2), _Pulses(0.7)
        self._aside = _Spring(_SMOOTHING)

    def frames(
        self, prosody: NDArray[np.float32], presence: Presence = "idle"
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the next frames of weights and head pose.

        Args:
            prosody: Of each frame, shape (frames, 3), columns as in `face.prosody`.
            presence: What the face does beside, in all of them.

        Returns:
            float32 weights (frames, 52), of eyes, brows and a listener's smile, and pose
            (frames, 6), as in `Motion`.
        """
        weights = np.zeros((len(prosody), len(ARKIT)), np.float32)
        pose = np.zeros((len(prosody), 6), np.float32)
        if presence != self._asked:
            self._asked = presence
            # An answer is often there before anybody would have to look for one.
            self._takes_in = _TAKING_IN if presence == "thinking" else 0.0
        for i, (speaking, stress, pause) in enumerate(
            prosody[:, [SPEAKING, STRESS, PAUSE]].tolist()
        ):
            self._takes_in -= self._dt
            if self._takes_in <= 0 and self._presence != self._asked:
                self._turn_to(self._asked)
            self._frame(weights[i], pose[i], speaking, stress, pause)
        return weights, pose

    def _turn_to(self, presence: Presence) -> None:
        self._presence = presence
        self._gaze.turn_to(presence)
        if presence == "nodding":
            self._assents.add(_NOD * self._random.uniform(0.9, 1.4))
        if presence == "thinking":
            self._inhalations.add(1.0)

    def _frame(
        self,
        weights: NDArray[np.float32],
        pose: NDArray[np.float32],
        speaking: float,
        stress: float,
        pause: float,
    ) -> None:
        dt = self._dt
        taking_in = self._takes_in > 0
        self._time += dt * (1 - _STILLNESS * self._still.step(float(taking_in), dt))
        if stress:
            self._nods.add(_NOD * stress)
            if stress > 0.5 or self._random.random() < 0.4:
                self._brows.add(0.45 * stress)
            self._lean = self._random.uniform(-1, 1) * np.radians(1.2)
        lively = self._liveliness.step(speaking, dt)
        blink = self._blink.step(dt, phrase_ended=pause > 0, hold=taking_in)
        across, up = self._gaze.step(dt, speaking=speaking > 0, hold=taking_in)
        brow = self._brow.step(self._brows.step(dt), dt)
        listening = float(self._presence in ("listening", "nodding"))
        listens, leans = self._listens.step(listening, dt), self._posture.step(listening, dt)
        thinks = self._thinks.step(float(self._presence == "thinking"), dt)

        sway = (self._parts * np.sin(2 * np.pi * self._tones * self._time + self._phases)).sum(1)
        calm = _SWAY_IDLE - 0.2 * listens
        pose[:3] = sway * (calm + (1 - calm) * lively)
        pose[0] += self._aside.step(_ASIDE * self._gaze.elsewhere, dt)
        breath = math.sin(2 * math.pi * _BREATH * self._time)
        inhaled = self._chest.step(self._inhalations.step(dt), dt)
        pose[1] += self._nod.step(self._nods.step(dt), dt) + np.radians(0.15) * breath
        pose[1] += self._assent.step(self._assents.step(dt), dt) - np.radians(0.5) * inhaled
        pose[2] += self._tilt.step(self._lean * lively, dt) + _TILT * self._side * leans
        pose[4] = 0.004 * breath + 0.007 * inhaled
        pose[5] = 0.005 * breath + 0.004 * lively + _LEAN * leans

        # The eyes stay on what they look at while the head moves (vestibulo-ocular reflex).
        across, up = across - float(pose[0]) * _TURN, up + float(pose[1]) * _RAISE
        weights[_BLINK] = blink
        weights[_SQUINT] = 0.25 * blink + 0.03 * lively
        weights[_INNER] = 0.8 * brow + 0.02 * (1 + breath) + 0.12 * listens
        weights[_OUTER] = brow + 0.08 * listens
        weights[_FROWN] = 0.08 * thinks
        weights[_SMILE] = 0.08 * listens
        weights[_LEFTWARD], weights[_RIGHTWARD] = max(across, 0.0), max(-across, 0.0)
        weights[_UPWARD] = max(up, 0.0)
        weights[_DOWNWARD] = max(-up, 0.0) + 0.15 * blink


class _Spring:
    """Follows a target as a critically damped spring does: no jump, no overshoot.

    Args:
        frequency: How quickly, rad/s.
    """

    def __init__(self, frequency: float) -> None:
        self._frequency = frequency
        self._value = self._speed = 0.0

    def step(self, target: float, dt: float) -> float:
        # The exact solution for a target held over the step: stable at any frame rate.
        w = self._frequency
        off = self._value - target
        fade, drive = math.exp(-w * dt), self._speed + w * off
        self._value = target + (off + drive * dt) * fade
        self._speed = (self._speed - w * drive * dt) * fade
        return self._value


class _Pulses:
    """Holds each push for a moment; the spring behind it rounds the corners.

    Args:
        seconds: How long.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = self._height = 0.0

    def add(self, height: float) -> None:
        self._left, self._height = self._seconds, height

    def step(self, dt: float) -> float:
        self._left -= dt
        return self._height if self._left > 0 else 0.0


class _Blink:
    """Lids: open, and now and then shut and opened again."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._due = self._interval() * random.random()
        self._into = -1.0  # seconds into a blink; negative between blinks
        self._since = 0.0
        self._again = False

    def step(self, dt: float, *, phrase_ended: bool, hold: bool = False) -> float:
        """Return how far the lids are shut, in [0, 1]; none begins while `hold`."""
        self._due -= 0.0 if hold else dt
        self._since += dt
        if phrase_ended and self._since > 1.2 and self._random.random() < 0.6:
            self._due = min(self._due, self._random.uniform(0.0, 0.12))
        if self._into < 0:
            if self._due > 0:
                return 0.0
            self._into = 0.0
        self._into += dt
        if self._into < _CLOSING:
            return float(_smoothstep(self._into / _CLOSING))
        opened = (self._into - _CLOSING) / _OPENING
        if opened < 1:
            return float(1 - _smoothstep(opened))
        self._into, self._since = -1.0, 0.0
        # Double blinks: one in eight, and never a third.
        self._again = not self._again and self._random.random() < 0.125
        self._due = 0.1 if self._again else self._interval()
        return 0.0

    def _interval(self) -> float:
        return float(np.clip(_INTERVAL * np.exp(self._random.normal(0, 0.42)), 1.6, 8.0))


class _Gaze:
    """Eyes: on the viewer, with tiny movements; sometimes elsewhere for a moment."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._target = self._at = (0.0, 0.0)
        self._left = 1.0
        self._away = False
        self._presence: Presence = "idle"

    @property
    def elsewhere(self) -> float:
        """How far across a thinker looks, with more than the eyes."""
        return self._target[0] if self._away and self._presence == "thinking" else 0.0

    def turn_to(self, presence: Presence) -> None:
        """Look as this asks for, from the next frame on, or soon."""
        self._presence = presence
        if presence == "thinking":
            self._left = min(self._left, self._random.uniform(0.1, 0.3))
        elif self._away:
            self._left = 0.0

    def step(self, dt: float, *, speaking: bool, hold: bool = False) -> tuple[float, float]:
        """Return where the eyes look: to the face's own left, up; each in [-0.4, 0.4].

        They stay there while `hold`.
        """
        self._left -= 0.0 if hold else dt
        if self._left <= 0:
            self._choose(speaking=speaking)
        follow = 1 - math.exp(-dt / _SACCADE)
        self._at = _towards(self._at, self._target, follow)
        return self._at

    def _choose(self, *, speaking: bool) -> None:
        draw = self._random
        if self._away or draw.random() >= _GLANCES[self._presence]:
            # Home, or a micro-saccade about it.
            self._target = (draw.normal(0, 0.02), draw.normal(0, 0.015))
            self._left, self._away = draw.uniform(0.4, 2.2), False
            return
        side = draw.choice((-1, 1))
        self._away = True
        if self._presence == "thinking":
            self._target = (side * draw.uniform(0.15, 0.28), draw.uniform(0.02, 0.2))
            self._left = draw.uniform(0.7, 1.5)
            return
        self._target = (side * draw.uniform(0.08, 0.2), draw.uniform(-0.12, 0.08))
        self._left = draw.uniform(0.35, 0.8 if speaking else 1.3)


def _towards(at: Sequence[float], goal: Sequence[float], share: float) -> tuple[float, float]:
    return (
        float(at[0] + share * (goal[0] - at[0])),
        float(at[1] + share * (goal[1] - at[1])),
    )


def _smoothstep(x: float) -> float:
    return x * x * (3 - 2 * x)
