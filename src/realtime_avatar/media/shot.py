"""One picture with the sound that is heard while it is shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.media.audio import Audio


@dataclass(frozen=True, slots=True)
class Shot:
    """One video frame and exactly the audio heard while it is shown.

    Lips and voice are in step by construction, whatever happens downstream.

    Attributes:
        audio: Exactly `audio.rate / fps` samples.
        frame: uint8, shape (height, width, 3), RGB. None holds the picture before, so
            that a late face never stalls the voice.
    """

    audio: Audio
    frame: NDArray[np.uint8] | None
