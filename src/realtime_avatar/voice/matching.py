"""Which points of the style space sound like somebody: predicted from speech measured before.

How a speaker encoder hears Kokoro, and how high, was measured at thousands of points: stock
voices and random ones between and beyond them, sound and melody mixed independently. A Gaussian
process with one kernel for all components of the embedding (Rasmussen and Williams, "Gaussian
Processes for Machine Learning", 2006, 2.2) predicts from these what any point would be heard as,
within the spread of one voice's sentences. Its best point for an embedding is the guess, which
costs no synthesis. Other ways to predict (other kernels, halves of the measurements, a linear
regression from embeddings to points) err otherwise: theirs are the candidates that a search
listens to.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.voice.style_space import Point

Vectors = NDArray[np.float64]
Floats = NDArray[np.float32]

_LENGTH: Final = 9.0
"""Of the kernel, in standard deviations of stock voices; by cross-validation."""
_NOISE: Final = 0.15
"""Variance of a measured embedding's error relative to the kernel's."""
_SPREAD: Final = 0.0014
"""What similarity a squared standard deviation from the mean voice costs: points far out are
neither well predicted nor well understood."""
_PITCH: Final = 0.05
"""What similarity a standard deviation of pitch costs, squared."""
_STEPS: Final = 300
_RATE: Final = 0.15
_BAGS: Final = 8
_PERTURBED: Final = 0.4


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of the space.

    Attributes:
        points: Where speech was measured, (measurements, coordinates).
        embeddings: What it was heard as, unit vectors, (measurements, size).
        pitches: How high: logarithm of the median fundamental frequency in Hz, (measurements,).
    """

    points: Vectors
    embeddings: Vectors
    pitches: Vectors

    def some(self, which: NDArray[np.int64]) -> "Measured":
        return Measured(self.points[which], self.embeddings[which], self.pitches[which])


@dataclass(frozen=True, slots=True)
class Target:
    """Whose voice is looked for. `pitch`: as in `Measured`; None if it is not known."""

    embedding: Vectors
    pitch: float | None


def guess(measured: Measured, target: Target) -> Point:
    """Return the point that is predicted to be most like the target; two seconds."""
    return Likeness(measured).best(target)


def candidates(measured: Measured, target: Target) -> list[Point]:
    """Return sixteen points worth listening to, the guess first; half a minute."""
    chance = np.random.default_rng(0)
    likeness = Likeness(measured)  # serves three
    best = likeness.best(target)
    found = [
        best,
        *(Likeness(measured, length).best(target) for length in (6.0, 14.0)),
        *(likeness.best(target, spread) for spread in (3 * _SPREAD, _SPREAD / 4)),
    ]
    halves = [
        chance.choice(len(measured.points), len(measured.points) // 2, replace=False)
        for _ in range(_BAGS)
    ]
    bagged = np.mean([Likeness(measured.some(half)).best(target) for half in halves], axis=0)
    linear, ridged = (_regression(measured, target.embedding, ridge) for ridge in (1.0, 3.0))
    found += [bagged, 1.3 * bagged, 1.7 * linear, 2.5 * linear, 2.5 * ridged]
    found += [(best + 1.7 * linear) / 2, (best + 2.5 * ridged) / 2]
    found += [best + _PERTURBED * chance.standard_normal(len(best)) for _ in range(4)]
    return found


class Likeness:
    """Predicts how points are heard.

    Args:
        measured: What is known.
        length: Of the kernel.
    """

    def __init__(self, measured: Measured, length: float = _LENGTH) -> None:
        self._points, self._length = measured.points, length
        known = np.column_stack([measured.embeddings, measured.pitches / measured.pitches.std()])
        self._pitch_unit = float(measured.pitches.std())
        self._mean = known.mean(axis=0)
        apart = (self._points**2).sum(1)
        apart = apart[:, None] + apart - 2 * self._points @ self._points.T
        kernel = np.exp(-apart / (2 * length**2)) + _NOISE * np.eye(len(apart))
        # Their reading is what a step of `best` waits for.
        self._weights = np.linalg.solve(kernel, known - self._mean).astype(np.float32)

    def predict(self, point: Point) -> tuple[Vectors, float]:
        """Return what a point would be heard as, a unit vector, and its logarithmic pitch."""
        heard = self._mean + self._kernel(point) @ self._weights
        return heard[:-1] / np.linalg.norm(heard[:-1]), float(heard[-1]) * self._pitch_unit

    def best(self, target: Target, spread: float = _SPREAD) -> Point:
        """Return the point that is predicted to be most like the target (Adam from the mean).

        Args:
            target: Whose voice.
            spread: What being far out costs.
        """
        point = np.zeros(self._points.shape[1])
        first, second = np.zeros_like(point), np.zeros_like(point)
        for step in range(1, _STEPS + 1):
            slope = self._slope(point, target) - 2 * spread * point
            first = 0.9 * first + 0.1 * slope
            second = 0.99 * second + 0.01 * slope**2
            size = np.sqrt(second / (1 - 0.99**step)) + 1e-9
            point = point + _RATE * (1 - step / _STEPS) * first / (1 - 0.9**step) / size
        return point

    def _kernel(self, point: Point) -> Floats:
        apart = ((self._points - point) ** 2).sum(axis=1)
        return np.exp(-apart / (2 * self._length**2)).astype(np.float32)

    def _slope(self, point: Point, target: Target) -> Point:
        """Return the gradient of the cosine less what pitch costs."""
        kernel = self._kernel(point)
        heard = self._mean + kernel @ self._weights
        length = np.linalg.norm(heard[:-1])
        cosine = heard[:-1] @ target.embedding / length
        by_heard = np.empty_like(self._mean, np.float32)
        by_heard[:-1] = target.embedding / length - cosine * heard[:-1] / length**2
        wanted = None if target.pitch is None else target.pitch / self._pitch_unit
        by_heard[-1] = 0.0 if wanted is None else -2 * _PITCH * (heard[-1] - wanted)
        by_kernel = kernel * (self._weights @ by_heard)
        return by_kernel @ (self._points - point) / self._length**2


def _regression(measured: Measured, embedding: Vectors, ridge: float) -> Point:
    """Return the point that a linear regression from embeddings gives, with a ridge."""
    mean, centre = measured.embeddings.mean(axis=0), measured.points.mean(axis=0)
    known = measured.embeddings - mean
    normal = known.T @ known + ridge * np.eye(known.shape[1])
    weights = np.linalg.solve(normal, known.T @ (measured.points - centre))
    return (embedding - mean) @ weights + centre
