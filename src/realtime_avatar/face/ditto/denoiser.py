"""Tells motion from noise, given what is heard (Ditto's motion-space diffusion model).

The transformer is EDGE's: Tseng et al., CVPR 2023. What does not change from one diffusion
step to the next (the encoded condition, keys and values of the attention to it, all
modulations by time) is computed once for all of them, by `prepare`.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

MOTION = 265
"""Numbers in a motion: scale - 1, pitch 66, yaw 66, roll 66, translation 3, expression 63."""

FRAMES = 80
FPS = 25
"""Frames of motion a second."""

WIDTH, HEADS, LAYERS = 512, 8, 8
TIME_TOKENS = 2
GUIDANCE = 2.0


class Prepared(NamedTuple):
    """What every step needs; the unconditional half of a batch comes before the other.

    Attributes:
        start: (batch, 1, 512), the frame before, projected.
        keys: (steps, layers, 2 batch, heads, frames + 2, 64), of the condition.
        values: As `keys`.
        film: (steps, layers, 3, 2 batch, 1, 1024), scales and shifts.
    """

    start: Tensor
    keys: Tensor
    values: Tensor
    film: Tensor


class MotionDenoiser(nn.Module):
    """Noisy motion in, motion out.

    Args:
        condition: Numbers for each frame that say what is heard and wanted.
        narrow: What the widths are divided by.
    """

    def __init__(self, condition: int = 1059, narrow: int = 1) -> None:
        super().__init__()
        width = WIDTH // narrow
        self.rotary = Rotary(width)
        self.time_mlp = nn.Sequential(TimeWaves(width), nn.Linear(width, 4 * width), nn.Mish())
        self.to_time_cond = nn.Sequential(nn.Linear(4 * width, width))
        self.to_time_tokens = nn.Sequential(nn.Linear(4 * width, TIME_TOKENS * width))
        self.null_cond_embed = nn.Parameter(torch.empty(1, FRAMES, width))
        self.null_cond_hidden = nn.Parameter(torch.empty(1, width))
        self.norm_cond = nn.LayerNorm(width)
        self.input_projection = nn.Linear(2 * MOTION, width)
        self.cond_encoder = nn.Sequential(*(EncoderLayer(width, self.rotary) for _ in range(2)))
        self.cond_projection = nn.Linear(condition, width)
        self.non_attn_cond_projection = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.seqTransDecoder = nn.Module()
        self.seqTransDecoder.stack = nn.ModuleList(
            DecoderLayer(width, self.rotary) for _ in range(LAYERS)
        )
        self.final_layer = nn.Linear(width, MOTION)

    @property
    def layers(self) -> list["DecoderLayer"]:
        """The decoder's layers, the first one first."""
        return list(self.seqTransDecoder.stack)  # pyright: ignore[reportArgumentType]

    def prepare(self, cond_frame: Tensor, cond: Tensor, times: Tensor) -> Prepared:
        """Compute what all steps share.

        Args:
            cond_frame: (batch, 265), the motion that this one follows.
            cond: (batch, 80, condition).
            times: int64, (steps,), the noise levels of all steps, 0 to 999.
        """
        batch, steps = len(cond), len(times)
        told = self.cond_encoder(self.cond_projection(cond))
        tokens = torch.cat([self.null_cond_embed.expand(batch, -1, -1), told])
        hidden = torch.cat(
            [self.null_cond_hidden.expand(batch, -1), self.non_attn_cond_projection(told.mean(1))]
        )
        time = self.time_mlp(times)
        level = F.mish(self.to_time_cond(time)[:, None] + hidden)
        time_tokens = self.to_time_tokens(time).unflatten(1, (TIME_TOKENS, -1))
        context = torch.cat(
            [
                tokens.expand(steps, -1, -1, -1),
                time_tokens[:, None].expand(-1, 2 * batch, -1, -1),
            ],
            2,
        )
        context = self.norm_cond(context)
        turned = self.rotary(context)
        stacks: list[list[Tensor]] = [[], [], []]
        for layer in self.layers:
            stacks[0].append(layer.multihead_attn.keys(turned))
            stacks[1].append(layer.multihead_attn.values(context))
            films = [film(level) for film in (layer.film1, layer.film2, layer.film3)]
            stacks[2].append(torch.stack(films, 1)[:, :, :, None])
        keys, values, film = (torch.stack(stack, 1) for stack in stacks)
        return Prepared(self._start(cond_frame), keys, values, film)

    def step(self, x: Tensor, start: Tensor, keys: Tensor, values: Tensor, film: Tensor) -> Tensor:
        """Return the motion that `x`, (batch, 80, 265), seems to have been before the noise.

        Args:
            x: Noisy motion.
            start: As prepared.
            keys: As prepared, of this step; so `values` and `film`.
            values: See `keys`.
            film: See `keys`.
        """
        projected = F.linear(x, self.input_projection.weight[:, :MOTION])
        y = (projected + start).repeat(2, 1, 1)
        for number, layer in enumerate(self.layers):
            y = layer(y, keys[number], values[number], film[number])
        without, told = self.final_layer(y).chunk(2)
        return without + GUIDANCE * (told - without)

    def forward(self, x: Tensor, cond_frame: Tensor, cond: Tensor, time: Tensor) -> Tensor:
        """Do one step alone. `time`: int64, (1,)."""
        start, *levels = self.prepare(cond_frame, cond, time)
        return self.step(x, start, *(level[0] for level in levels))

    def _start(self, cond_frame: Tensor) -> Tensor:
        weight = self.input_projection.weight[:, MOTION:]
        return F.linear(cond_frame, weight, self.input_projection.bias)[:, None]


class TimeWaves(nn.Module):
    """A noise level as sines and cosines of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        waves = torch.exp(torch.arange(half) * (-math.log(10_000) / (half - 1)))
        self.register_buffer("waves", waves, persistent=False)

    def forward(self, times: Tensor) -> Tensor:
        # In float32 whatever the weights are: 999 radians in half precision are noise.
        angles = times[:, None].float() * self.get_buffer("waves").float()
        waves = torch.cat([angles.sin(), angles.cos()], 1)
        return waves.to(self.get_buffer("waves").dtype)


class Rotary(nn.Module):
    """Turns neighbouring pairs of numbers by an angle that grows with the frame's number.

    Su et al., "RoFormer", 2021.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        freqs = 10_000 ** (-torch.arange(0, width, 2).float() / width)
        self.register_buffer("freqs", freqs)

    def forward(self, x: Tensor) -> Tensor:
        place = torch.arange(x.shape[-2], device=x.device)
        angle = place[:, None].float() * self.get_buffer("freqs").float()
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        even, odd = x[..., ::2], x[..., 1::2]
        turned = torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1)
        return turned.flatten(-2)


class Attention(nn.Module):
    """Attention with eight heads, its three projections in one weight (as in PyTorch's)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def queries(self, x: Tensor) -> Tensor:
        """Return what is asked, (..., heads, frames, 64)."""
        return self._project(x, 0)

    def keys(self, x: Tensor) -> Tensor:
        """Return what answers to it, shaped as `queries`."""
        return self._project(x, 1)

    def values(self, x: Tensor) -> Tensor:
        """Return the answers, shaped as `queries`."""
        return self._project(x, 2)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return what each query has found, (batch, frames, 512)."""
        found = F.scaled_dot_product_attention(queries, keys, values)
        return self.out_proj(found.transpose(1, 2).flatten(2))

    def _project(self, x: Tensor, which: int) -> Tensor:
        weight, bias = self.in_proj_weight.chunk(3)[which], self.in_proj_bias.chunk(3)[which]
        return F.linear(x, weight, bias).unflatten(-1, (HEADS, -1)).transpose(-2, -3)


class EncoderLayer(nn.Module):
    """Self-attention and a perceptron, both normalised before."""

    def __init__(self, width: int, rotary: Rotary) -> None:
        super().__init__()
        self.self_attn = Attention(width)
        self.linear1 = nn.Linear(width, 2 * width)
        self.linear2 = nn.Linear(2 * width, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.rotary = rotary

    def forward(self, x: Tensor) -> Tensor:
        x = x + _attend(self.self_attn, self.norm1(x), self.rotary)
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class DecoderLayer(nn.Module):
    """As the encoder's, with attention to the condition; what each adds is modulated."""

    def __init__(self, width: int, rotary: Rotary) -> None:
        super().__init__()
        self.self_attn = Attention(width)
        self.multihead_attn = Attention(width)
        self.linear1 = nn.Linear(width, 2 * width)
        self.linear2 = nn.Linear(2 * width, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.film1 = Film(width)
        self.film2 = Film(width)
        self.film3 = Film(width)
        self.rotary = rotary

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, film: Tensor) -> Tensor:
        x = x + _modulate(_attend(self.self_attn, self.norm1(x), self.rotary), film[0])
        queries = self.multihead_attn.queries(self.rotary(self.norm2(x)))
        x = x + _modulate(self.multihead_attn(queries, keys, values), film[1])
        inner = self.linear2(F.gelu(self.linear1(self.norm3(x))))
        return x + _modulate(inner, film[2])


class Film(nn.Module):
    """Scales and shifts from a level of noise; Perez et al., "FiLM", AAAI 2018."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Mish(), nn.Linear(width, 2 * width))

    def forward(self, activated: Tensor) -> Tensor:
        """Return scales and shifts side by side. `activated`: what Mish made of the level."""
        return self.block[1](activated)


def _attend(attention: Attention, x: Tensor, rotary: Rotary) -> Tensor:
    turned = rotary(x)
    return attention(attention.queries(turned), attention.keys(turned), attention.values(x))


def _modulate(x: Tensor, film: Tensor) -> Tensor:
    scale, shift = film.chunk(2, -1)
    return x * (1 + scale) + shift
