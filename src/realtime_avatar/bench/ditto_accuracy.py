"""Whether Ditto's networks compute what the published ones do, on deterministic weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from realtime_avatar.bench.ditto_weights import tensor, weights
from realtime_avatar.face.ditto.fast_decoder import FastDecoder
from realtime_avatar.face.ditto.fast_warp import FastWarp
from realtime_avatar.face.ditto.networks import NETWORKS
from realtime_avatar.face.ditto.sampler import noise_in

STEP = 500
"""The level of noise at which the motion model is compared, of 1000."""


class Inputs:
    """The inputs of a comparison.

    Args:
        prefix: Put before every name.
        device: Where they are wanted.
    """

    def __init__(self, prefix: str = "", device: str = "cpu") -> None:
        self._prefix, self._device = prefix, device

    def __call__(self, name: str, *shape: int) -> Tensor:
        return torch.from_numpy(tensor(self._prefix + name, shape)).to(self._device)

    def keypoints(self, batch: int = 1) -> tuple[Tensor, Tensor]:
        """Return where they are and where they should be."""
        source = 0.2 * self("kp_source", batch, 21, 3)
        return source, source + 0.05 * self("kp_delta", batch, 21, 3)


def network(name: str, device: str = "cpu") -> Any:
    """Return one of the six with deterministic weights, in float32."""
    made: nn.Module = NETWORKS[name]().eval()
    made.load_state_dict(weights(made.state_dict()), strict=True)
    return made.requires_grad_(False).to(device)


@torch.inference_mode()
def outputs(name: str, give: Inputs, device: str, kind: torch.dtype) -> dict[str, Tensor]:
    """Return what a network gives, by the names of the reference's outputs.

    In float32 the warp and the decoder are the plain ones, in half precision those that are
    served.
    """
    model = network(name, device)
    half = kind is not torch.float32
    served = {"decoder": FastDecoder, "warp_network": FastWarp}
    if half and name in served:
        model = served[name](model)
    model = model.to(kind)
    source, driving = give.keypoints()
    match name:
        case "appearance_extractor":
            picture = torch.sigmoid(give("image", 1, 3, 256, 256)).to(kind)
            return {"appearance.feature_3d": model(picture)}
        case "motion_extractor":
            picture = torch.sigmoid(give("image", 1, 3, 256, 256)).to(kind)
            return {f"motion.{key}": value for key, value in model(picture)._asdict().items()}
        case "warp_network":
            volume = give("feature_3d", 1, 32, 16, 64, 64).to(kind)
            if half:
                volume = volume.permute(0, 2, 3, 4, 1).contiguous()
            return {"warp.out": model(volume, source, driving)}
        case "decoder":
            return {"decoder.output": model(give("warped", 1, 256, 64, 64).to(kind))}
        case "stitch_network":
            return {"stitch.out": model(source.to(kind), driving.to(kind))}
        case _:
            x = give("x", 1, 80, 265)
            frame, cond = give("cond_frame", 1, 265).to(kind), give("cond", 1, 80, 1059).to(kind)
            motion = model(x.to(kind), frame, cond, torch.tensor([STEP], device=device)).float()
            return {"lmdm.x_start": motion, "lmdm.pred_noise": noise_in(x, motion, STEP)}


def error(found: Tensor, reference: NDArray[Any]) -> float:
    """Return the relative error ||found - reference|| / ||reference||.

    Args:
        found: An output.
        reference: The same, or of its flattened numbers every n-th.
    """
    numbers = found.float().cpu().numpy().ravel()
    wanted = reference.astype(np.float64).ravel()
    numbers = numbers[:: numbers.size // wanted.size].astype(np.float64)
    return float(np.linalg.norm(numbers - wanted) / np.linalg.norm(wanted))


def errors(
    name: str,
    reference: Mapping[str, NDArray[Any]],
    give: Inputs,
    device: str = "cpu",
    kind: torch.dtype = torch.float32,
) -> dict[str, float]:
    """Return the relative error of each of a network's outputs."""
    found = outputs(name, give, device, kind)
    return {key: error(value, reference[key]) for key, value in found.items()}
