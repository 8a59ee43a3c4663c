"""One picture with the sound that is heard while it is shown."""

from dataclasses import dataclass

from realtime_avatar.media.audio import Audio
from realtime_avatar.media.picture import Frame


@dataclass(frozen=True, slots=True)
class Shot:
    """One video frame and exactly the audio heard while it is shown.

    Lips and voice are in step by construction, whatever happens downstream.

    Attributes:
        audio: Exactly `audio.rate / fps` samples.
        frame: See `Frame`. None holds the picture before, so that a late face never stalls
            the voice.
    """

    audio: Audio
    frame: Frame | None
