"""Voice matching: the voice of Kokoro's that is most like a sample.

It is a voice that Kokoro can speak with already, found rather than copied: pitch, colour and
pace come near, the accent and the small habits of a person do not.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import step
from realtime_avatar.media import Audio
from realtime_avatar.models.store import ModelStore
from realtime_avatar.voice.campplus import CAMPPLUS, CamPlusPlus
from realtime_avatar.voice.matching import Measured, Target, candidates, guess
from realtime_avatar.voice.pitch import pitches
from realtime_avatar.voice.speakers import GE2E, Beside, Ge2e, SpeakerEncoder, side_by_side
from realtime_avatar.voice.style_space import Pack, Point, StyleSpace

FITTED_ON: Final = (
    "The boy ran down the path to the red gate.",
    "Nobody knew why the old clock had stopped.",
    "She bought fresh bread and some cheese for lunch.",
    "We should talk about this again on Thursday.",
    "A cold wind blew across the empty harbor.",
    "Please leave your shoes outside the front door.",
)
"""What candidates are heard saying: one each, in turn."""

ROUNDS: Final = ((16, 2), (6, 3), (2, 5))
"""How many candidates are left, and how many more sentences each is heard saying: 60 in all,
two minutes on two cores without VNNI (successive halving: Jamieson and Talwalkar, 2016)."""

Say = Callable[[Pack, str], Awaitable[Audio]]
"""Speaks a text with a pack."""


@dataclass(frozen=True, slots=True)
class Found:
    """A voice that a search holds for the best so far.

    Attributes:
        share: Of the search that is done.
        pack: The voice.
        similarity: Of what it was heard saying to the sample, a cosine.
    """

    share: float
    pack: Pack
    similarity: float


def listeners(store: ModelStore) -> dict[str, SpeakerEncoder]:
    """Return the encoders that are here of those that a voice is looked for with. Blocking.

    Raises:
        ModelMissing: if the first is not here.
    """
    found: dict[str, SpeakerEncoder] = {"ge2e": Ge2e(store.path(GE2E))}
    if store.has(CAMPPLUS):
        found["campplus"] = CamPlusPlus(store.path(CAMPPLUS))
    return found


class Cloner:
    """Finds voices.

    Args:
        stock: Returns the pack of a stock voice.
        encoders: That likeness is measured with, from `listeners`. A voice that pleases one
            alone is less like the person to all others.
    """

    def __init__(
        self, stock: Callable[[str], Pack], encoders: Mapping[str, SpeakerEncoder]
    ) -> None:
        self._stock, self._encoder = stock, Beside(encoders.values())
        file = files("realtime_avatar") / "voice" / "data" / "matching.npz"
        with file.open("rb") as opened, np.load(opened) as held:
            data: dict[str, NDArray[np.float64]] = {
                key: held[key].astype(np.float64)
                for key in ("sound", "melody", "points", "pitches", *encoders)
            }
            names = [str(name) for name in held["names"]]
        self._space = StyleSpace(names, data["sound"], data["melody"])
        heard = side_by_side([data[name] for name in encoders])
        self._measured = Measured(data["points"], heard, data["pitches"])

    def guess(self, sample: Audio) -> Pack:
        """Return a voice without having heard it. Blocking, three seconds."""
        return self._pack(guess(self._measured, self._target(sample)))

    async def refine(self, sample: Audio, say: Say) -> AsyncGenerator[Found]:
        """Listen to candidates, and yield the best voice after each sentence.

        Args:
            sample: Of the person.
            say: Speaks.
        """
        target = await step(partial(self._target, sample))
        points = await step(partial(candidates, self._measured, target))
        packs = [await step(partial(self._pack, point)) for point in points]
        heard = [np.zeros_like(target.embedding) for _ in points]
        counts = [0 for _ in points]
        left = list(range(len(points)))
        done, whole = 0, sum(number * sentences for number, sentences in ROUNDS)

        def alike(which: int) -> float:
            length = float(np.linalg.norm(heard[which]))
            return float(heard[which] @ target.embedding) / length if length else 0.0

        for number, sentences in ROUNDS:
            left = sorted(left, key=alike, reverse=True)[:number]
            for which in left:
                for _ in range(sentences):
                    text = FITTED_ON[counts[which] % len(FITTED_ON)]
                    said = await say(packs[which], text)
                    heard[which] += await step(partial(self._encoder.embed, said))
                    counts[which] += 1
                    done += 1
                    best = max(left, key=lambda one: (counts[one], alike(one)))
                    yield Found(done / whole, packs[best], alike(best))

    def _target(self, sample: Audio) -> Target:
        high = pitches(sample)
        return Target(
            self._encoder.embed(sample).astype(np.float64),
            float(np.median(np.log(high))) if len(high) else None,
        )

    def _pack(self, point: Point) -> Pack:
        return self._space.pack(point, self._stock)
