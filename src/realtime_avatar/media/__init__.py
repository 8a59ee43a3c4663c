"""Sound and pictures as values, and the ways in and out of files."""

from realtime_avatar.media.audio import Audio, Phoneme
from realtime_avatar.media.motion import ARKIT, Motion
from realtime_avatar.media.shot import Shot

__all__ = ["ARKIT", "Audio", "Motion", "Phoneme", "Shot"]
