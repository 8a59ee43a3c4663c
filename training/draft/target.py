"""Qwen2 in torch, enough to generate in large batches and to read off hidden states."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from realtime_avatar.thinking.local.gguf import F32, Gguf
from realtime_avatar.thinking.local.packing import unpack

IM_START, IM_END, NEWLINE = 151644, 151645, 198
MASKED = -30000.0
torch.backends.cuda.enable_cudnn_sdp(False)  # plans anew for each length


@dataclass(frozen=True)
class Config:
    """Sizes of a model; the defaults are those of Qwen2.5-1.5B."""

    layers: int = 28
    hidden: int = 1536
    heads: int = 12
    kv_heads: int = 2
    ffn: int = 8960
    vocab: int = 151936
    theta: float = 1e6
    eps: float = 1e-6

    @property
    def dim(self) -> int:
        return self.hidden // self.heads


def rotary(positions: Tensor, dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Return cosines and sines for positions, each `dim` wide (the halves alike)."""
    inverse = theta ** (-torch.arange(0, dim, 2, device=positions.device).double() / dim)
    angles = positions[..., None].double() * inverse
    angles = torch.cat([angles, angles], -1)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn heads by their position's angles; the first half pairs with the second."""
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


class Cache:
    """Keys and values of a batch: each layer [batch, heads, length, dim]."""

    def __init__(self, config: Config, batch: int, length: int, like: Tensor) -> None:
        shape = (batch, config.kv_heads, length, config.dim)
        self.keys = [like.new_zeros(shape) for _ in range(config.layers)]
        self.values = [like.new_zeros(shape) for _ in range(config.layers)]
        self.length = 0
        self.shared = 0
        """How many of the first positions hold a prefix that no row pads."""

    def share(self, prefix: "Cache") -> None:
        """Begin every row with the prefix that another cache of one row holds."""
        self.length = self.shared = n = prefix.length
        for mine, theirs in ((self.keys, prefix.keys), (self.values, prefix.values)):
            for a, b in zip(mine, theirs, strict=True):
                a[:, :, :n] = b[:, :, :n]

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but some."""
        for tensors in (self.keys, self.values):
            for i, tensor in enumerate(tensors):
                tensors[i] = tensor[rows]


class Target:
    """The model that is to be drafted for."""

    def __init__(self, config: Config, weights: dict[str, Tensor], dtype: torch.dtype) -> None:
        self.config = config
        self.dtype = dtype
        self.embedding = weights["token_embd.weight"].to(dtype)
        self.norm = weights["output_norm.weight"].reshape(-1).float()
        head = weights.get("output.weight", weights["token_embd.weight"])
        self.head = head.float()
        self.layers = []
        for i in range(config.layers):
            part = {
                name.removeprefix(f"blk.{i}."): tensor
                for name, tensor in weights.items()
                if name.startswith(f"blk.{i}.")
            }
            qkv = torch.cat([part[f"attn_{c}.weight"] for c in "qkv"])
            bias = torch.cat([part[f"attn_{c}.bias"].reshape(-1) for c in "qkv"])
            gate_up = torch.cat([part["ffn_gate.weight"], part["ffn_up.weight"]])
            layer = (
                part["attn_norm.weight"].reshape(-1), qkv, bias, part["attn_output.weight"],
                part["ffn_norm.weight"].reshape(-1), gate_up, part["ffn_down.weight"],
            )  # fmt: skip
            self.layers.append(tuple(tensor.to(dtype) for tensor in layer))

    @property
    def device(self) -> torch.device:
        return self.embedding.device

    @classmethod
    def load(cls, model: Path, device: str) -> "Target":
        """Load a GGUF file."""
        file, weights = Gguf(model), {}
        for name in file:
            tensor = file.tensor(name)
            if tensor.type == F32:
                weights[name] = torch.tensor(tensor.floats(), device=device)[None]
                continue
            numbers = unpack(tensor, np.arange(tensor.rows.shape[0]))
            weight = torch.from_numpy(numbers).to(device)
            weights[name] = weight if name == "output.weight" else weight.to(torch.bfloat16)
        return cls(Config(), weights, torch.bfloat16)

    @classmethod
    def random(cls, config: Config) -> "Target":
        """Return a model of noise, to try the scripts on."""
        torch.manual_seed(0)
        e, d = config.hidden, config.dim
        wide = {"attn_q": (config.heads * d, e), "attn_k": (config.kv_heads * d, e),
                "attn_v": (config.kv_heads * d, e), "attn_output": (e, config.heads * d),
                "ffn_gate": (config.ffn, e), "ffn_up": (config.ffn, e),
                "ffn_down": (e, config.ffn)}  # fmt: skip
        weights = {"token_embd.weight": torch.randn(config.vocab, e) * 0.1,
                   "output_norm.weight": torch.ones(e)}  # fmt: skip
        for i in range(config.layers):
            for name, shape in wide.items():
                weights[f"blk.{i}.{name}.weight"] = torch.randn(shape) / shape[1] ** 0.5
                weights[f"blk.{i}.{name}.bias"] = torch.zeros(shape[0])
            for name in ("attn_norm", "ffn_norm"):
                weights[f"blk.{i}.{name}.weight"] = torch.ones(e)
        return cls(config, weights, torch.float32)

    def forward(self, tokens: Tensor, pad: Tensor, cache: Cache) -> Tensor:
        """Read tokens; return the last layer's output before the final norm.

        Args:
            tokens: [batch, n], which come after those in the cache.
            pad: [batch], how many positions after the shared prefix are padding.
            cache: Extended by the tokens.
        """
        c = self.config
        batch, n = tokens.shape
        start, end = cache.length, cache.length + n
        groups = c.heads // c.kv_heads
        at = torch.arange(start, end, device=self.device)
        key = torch.arange(end, device=self.device)
        hidden = (key > at[:, None])[None] | (
            (key >= cache.shared) & (key < cache.shared + pad[:, None])
        )[:, None]
        bias = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device)
        bias = bias.masked_fill_(hidden, MASKED)[:, None].repeat(1, 1, groups, 1)
        # The kernel wants rows of the mask aligned to 16 bytes.
        padded = functional.pad(bias, (0, -end % 8))[..., :end].expand(-1, c.kv_heads, -1, -1)
        place = (at - pad[:, None]).clamp(min=0)
        cos, sin = (t.to(self.dtype)[:, :, None] for t in rotary(place, c.dim, c.theta))
        x = self.embedding[tokens]
        for i, (norm1, qkv, qkv_bias, out, norm2, gate_up, down) in enumerate(self.layers):
            y = functional.linear(functional.rms_norm(x, (c.hidden,), norm1, c.eps), qkv, qkv_bias)
            y = y.view(batch, n, c.heads + 2 * c.kv_heads, c.dim)
            turned = rotate(y[:, :, : c.heads + c.kv_heads], cos, sin)
            cache.keys[i][:, :, start:end] = turned[:, :, c.heads :].transpose(1, 2)
            cache.values[i][:, :, start:end] = y[:, :, c.heads + c.kv_heads :].transpose(1, 2)
            q = turned[:, :, : c.heads].reshape(batch, n, c.kv_heads, groups, c.dim)
            q = q.permute(0, 2, 3, 1, 4).reshape(batch, c.kv_heads, groups * n, c.dim)
            a = functional.scaled_dot_product_attention(
                q, cache.keys[i][:, :, :end], cache.values[i][:, :, :end], attn_mask=padded
            )
            a = a.view(batch, c.kv_heads, groups, n, c.dim).permute(0, 3, 1, 2, 4)
            x = x + functional.linear(a.reshape(batch, n, c.hidden), out)
            gate, up = functional.linear(
                functional.rms_norm(x, (c.hidden,), norm2, c.eps), gate_up
            ).chunk(2, -1)
            x = x + functional.linear(functional.silu(gate) * up, down)
        cache.length = end
        return x

    def normed(self, hidden: Tensor) -> Tensor:
        """Return what the output matrix is applied to, as float32."""
        return functional.rms_norm(
            hidden.float(), (self.config.hidden,), self.norm, self.config.eps
        )

    def logits(self, hidden: Tensor) -> Tensor:
        return functional.linear(self.normed(hidden), self.head)

    def prefix(self, tokens: Sequence[int]) -> tuple[Cache, Tensor]:
        """Read a prefix; return its cache (one row) and its hidden states."""
        cache = Cache(self.config, 1, len(tokens), self.embedding)
        ids = torch.tensor([list(tokens)], device=self.device)
        hidden = self.forward(ids, torch.zeros(1, dtype=torch.long, device=self.device), cache)
        return cache, hidden[0]


def left_padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return rows of tokens, padded at their left, and how much each is."""
    longest = max(map(len, rows))
    pad = [longest - len(row) for row in rows]
    tokens = [[NEWLINE] * p + list(row) for p, row in zip(pad, rows, strict=True)]
    return torch.tensor(tokens, device=device), torch.tensor(pad, device=device)


@torch.inference_mode()
def generate(
    target: Target,
    prefix: Cache | None,
    prompts: Sequence[Sequence[int]],
    temperatures: Sequence[float],
    limit: int,
    floor: float = 0.02,
) -> list[list[int]]:
    """Continue prompts; each reply ends with <|im_end|> if it came within the limit.

    Args:
        prefix: What comes before every prompt.
        prompts: One for each row.
        temperatures: One for each row; 0 takes the likeliest token.
        limit: Of the tokens of a reply.
        floor: Tokens less likely than this share of the likeliest are not taken.
    """
    device = target.device
    tokens, pad = left_padded(prompts, device)
    shared = prefix.length if prefix else 0
    room = shared + tokens.shape[1] + limit
    cache = Cache(target.config, len(prompts), room, target.embedding)
    if prefix:
        cache.share(prefix)
    warmth = torch.tensor(list(temperatures), device=device)[:, None]
    rows = torch.arange(len(prompts), device=device)
    made = torch.full((len(prompts), limit), IM_END, device=device)
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=device)
    least = torch.tensor(floor, device=device).log()
    for step in range(limit):
        hidden = target.forward(tokens, pad, cache)[:, -1]
        logits = target.logits(hidden)
        top = logits.amax(-1, keepdim=True)
        noise = torch.empty_like(logits).exponential_().clamp_(min=1e-12).log_().mul_(-warmth)
        unlikely = logits < top + least * warmth.clamp(min=1e-3)
        choice = logits.add_(noise).masked_fill_(unlikely, -torch.inf).argmax(-1)
        choice = torch.where(ended, IM_END, choice)
        made[rows, step] = choice
        ended = ended | (choice == IM_END)
        tokens = choice[:, None]
        if step % 8 == 7:
            alive = torch.nonzero(~ended)[:, 0]
            if not len(alive):
                break
            if len(alive) < 0.8 * len(rows):
                cache.keep(alive)
                rows, warmth, ended = rows[alive], warmth[alive], ended[alive]
                tokens, pad = tokens[alive], pad[alive]
    replies = []
    for row in made.tolist():
        end = row.index(IM_END) + 1 if IM_END in row else limit
        replies.append(row[:end])
    return replies
