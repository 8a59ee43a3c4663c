"""Diffusion: from noise to motion in a few steps.

Song et al., "Denoising Diffusion Implicit Models", ICLR 2021, with as much fresh noise as
DDPM's (eta = 1), on the cosine schedule of Nichol and Dhariwal, ICML 2021.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from realtime_avatar.face.ditto.denoiser import MotionDenoiser, Prepared

LEVELS = 1000
"""Of noise, in training."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What each of the steps does.

    Attributes:
        times: int64, (steps,), the levels of noise, falling.
        factors: float32, (steps, 3): of the motion that was told, of the noisy one, and of
            fresh noise, whose sum is what the next step begins with.
    """

    times: Tensor
    factors: Tensor


def remaining() -> Tensor:
    """Return how much of a motion's variance is left at each level, float32, (1000,)."""
    offset = 0.008
    phase = (torch.arange(LEVELS + 1, dtype=torch.float64) / LEVELS + offset) / (1 + offset)
    share = torch.cos(phase * (torch.pi / 2)).square()
    lost = (1 - share[1:] / share[:-1]).clamp(0, 0.999)
    return torch.cumprod(1 - lost.float(), 0)


def noise_in(x: Tensor, motion: Tensor, time: int) -> Tensor:
    """Return the noise by which `x` differs from the motion in it, at a level of noise."""
    left = remaining()[time].item()
    return (x - left**0.5 * motion) / (1 - left) ** 0.5


def schedule(steps: int) -> Schedule:
    """Return the schedule for a number of steps, 1 to 1000."""
    left = remaining().double()
    times = torch.linspace(-1, LEVELS - 1, steps + 1).int().flip(0)
    factors: list[list[float]] = []
    for now, then in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        if then < 0:
            factors.append([1.0, 0.0, 0.0])
            continue
        a, b = left[now].item(), left[then].item()
        fresh = ((1 - a / b) * (1 - b) / (1 - a)) ** 0.5
        kept = (1 - b - fresh**2) ** 0.5  # of the noise that is in the motion now
        noisy = kept / (1 - a) ** 0.5
        factors.append([b**0.5 - noisy * a**0.5, noisy, fresh])
    return Schedule(times[:-1].long(), torch.tensor(factors))


def sample(
    model: MotionDenoiser,
    plan: Schedule,
    cond_frame: Tensor,
    cond: Tensor,
    begin: Tensor,
    fresh: Tensor,
) -> Tensor:
    """Return motion for what is heard, float32, (batch, 80, 265).

    Args:
        model: In the precision that is wanted.
        plan: Steps, on the model's device.
        cond_frame: (batch, 265), the motion that this follows.
        cond: (batch, 80, condition).
        begin: Standard normal float32, (batch, 80, 265).
        fresh: The same for each step, (steps, batch or 1, 80, 265); the last is not used.
    """
    kind = model.final_layer.weight.dtype
    prepared = model.prepare(cond_frame.to(kind), cond.to(kind), plan.times)
    return advance(model, plan, prepared, begin, fresh, range(len(plan.times)))


def advance(
    model: MotionDenoiser,
    plan: Schedule,
    prepared: Prepared,
    x: Tensor,
    fresh: Tensor,
    steps: range,
) -> Tensor:
    """Do some of the steps; see `sample`.

    Args:
        model: In the precision that is wanted.
        plan: All steps.
        prepared: By the model, for all steps.
        x: float32, (batch, 80, 265), as the step before left it.
        fresh: See `sample`.
        steps: Which to do.
    """
    kind = model.final_layer.weight.dtype
    start, keys, values, film = prepared
    for step in steps:
        motion = model.step(x.to(kind), start, keys[step], values[step], film[step]).float()
        told, noisy, more = plan.factors[step]
        x = told * motion + noisy * x + more * fresh[step]
    return x
