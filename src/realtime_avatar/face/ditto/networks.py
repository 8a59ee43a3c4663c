"""The six networks by the names of their published files."""

from collections.abc import Callable
from typing import Final

from torch import nn

from realtime_avatar.face.ditto.appearance import AppearanceExtractor
from realtime_avatar.face.ditto.decoder import Decoder
from realtime_avatar.face.ditto.denoiser import MotionDenoiser
from realtime_avatar.face.ditto.motion import MotionExtractor
from realtime_avatar.face.ditto.stitch import StitchNetwork
from realtime_avatar.face.ditto.warp import WarpNetwork

NETWORKS: Final[dict[str, Callable[..., nn.Module]]] = {
    "appearance_extractor": AppearanceExtractor,
    "motion_extractor": MotionExtractor,
    "warp_network": WarpNetwork,
    "decoder": Decoder,
    "stitch_network": StitchNetwork,
    "lmdm": MotionDenoiser,
}
