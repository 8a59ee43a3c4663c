"""The draft head: one transformer layer that guesses the hidden states to come."""

import math

import torch
from target import Config, rotary, rotate
from torch import Tensor, nn
from torch.nn import functional

WINDOW = 64
BLOCK = 32


def quantised(weight: Tensor) -> Tensor:
    """Return a matrix as it comes back from 4 bits: blocks of 32 inputs, scale and least."""
    blocks = weight.float().reshape(weight.shape[0], -1, BLOCK)
    least, most = blocks.amin(-1, keepdim=True), blocks.amax(-1, keepdim=True)
    scale = ((most - least) / 15).half().float().clamp(min=1e-7)
    least = least.half().float()
    q = ((blocks - least) / scale).round().clamp(0, 15)
    return (q * scale + least).reshape(weight.shape)


class Linear(nn.Module):
    """A matrix without bias, as it is or (`rough`) as 4 bits leave it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / math.sqrt(inputs))
        self.rough = False

    def used(self) -> Tensor:
        if not self.rough:
            return self.weight
        # Straight through: the gradient is that of the matrix as it is.
        return self.weight + (quantised(self.weight) - self.weight).detach()

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.used().to(x.dtype))


class Norm(nn.Module):
    """RMSNorm with a weight."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


class DraftHead(nn.Module):
    """Slot t holds the target's hidden state at t and the token after it; it guesses t + 1's.

    fc(concat(norm_e(embedding of token t+1), norm_h(hidden state t))), then attention and a
    SwiGLU, each with a norm before and a residual around. Attention: rotary at position t,
    over the last `WINDOW` slots. The output g takes the place of hidden state t + 1 in the
    next draft; norm_out(g) times the embeddings of the draft vocabulary guesses token t + 2.
    """

    def __init__(self, config: Config, ffn: int = 4096) -> None:
        super().__init__()
        c = self.config = config
        e = c.hidden
        self.norm_e, self.norm_h = Norm(e, c.eps), Norm(e, c.eps)
        self.fc = Linear(2 * e, e)
        self.norm_attn, self.norm_ffn, self.norm_out = (Norm(e, c.eps) for _ in range(3))
        self.q = Linear(e, c.heads * c.dim)
        self.k = Linear(e, c.kv_heads * c.dim)
        self.v = Linear(e, c.kv_heads * c.dim)
        self.o = Linear(c.heads * c.dim, e)
        self.gate, self.up, self.down = Linear(e, ffn), Linear(e, ffn), Linear(ffn, e)

    def linears(self) -> list[Linear]:
        return [self.fc, self.q, self.k, self.v, self.o, self.gate, self.up, self.down]

    def rough(self, on: bool) -> None:
        """Have the matrices used as 4 bits leave them, or as they are."""
        for linear in self.linears():
            linear.rough = on

    def joined(self, embedding: Tensor, hidden: Tensor, dtype: torch.dtype) -> Tensor:
        both = torch.cat([self.norm_e(embedding), self.norm_h(hidden)], -1)
        return self.fc(both.to(dtype))

    def split(self, x: Tensor, linear: Linear, heads: int) -> Tensor:
        return linear(x).unflatten(-1, (heads, self.config.dim)).transpose(-3, -2)

    def keys(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the normed input of attention, and its keys and values."""
        y = self.norm_attn(x).to(x.dtype)
        k = self.split(y, self.k, self.config.kv_heads)
        return y, rotate(k, *turn), self.split(y, self.v, self.config.kv_heads)

    def layer(
        self,
        x: Tensor,
        turn: tuple[Tensor, Tensor],
        own: tuple[Tensor, Tensor, Tensor],
        base: tuple[Tensor, Tensor],
        later: list[tuple[Tensor, Tensor]],
        bias: Tensor,
    ) -> Tensor:
        """Return the layer's output.

        Args:
            x: [batch, slots, hidden].
            turn: Cosines and sines of the slots.
            own: What `keys` returned for x.
            base: Keys and values made from the target's hidden states, [batch, kv heads,
                n, dim].
            later: Keys and values of the drafts before this one, as each slot sees them,
                nearest last: [batch, kv heads, slots, dim].
            bias: [slots, n], which of the base may be seen.
        """
        c = self.config
        batch, slots, _ = x.shape
        groups = c.heads // c.kv_heads
        q = rotate(self.split(own[0], self.q, c.heads), *turn)
        q = q.reshape(batch, c.kv_heads, groups, slots, c.dim) / math.sqrt(c.dim)
        flat = q.reshape(batch, c.kv_heads, groups * slots, c.dim)
        scores = (flat @ base[0].transpose(-1, -2)).unflatten(2, (groups, slots))
        scores = scores.float() + bias
        near = [(q * k[:, :, None]).sum(-1, keepdim=True).float() for k, _ in later]
        shares = torch.cat([scores, *near], -1).softmax(-1).to(x.dtype)
        n = base[0].shape[2]
        a = shares[..., :n].reshape(batch, c.kv_heads, groups * slots, n) @ base[1]
        a = a.view(batch, c.kv_heads, groups, slots, c.dim)
        for i, (_, v) in enumerate(later):
            a = a + shares[..., n + i, None] * v[:, :, None]
        x = x + self.o(a.reshape(batch, c.heads, slots, c.dim).transpose(1, 2).flatten(2))
        y = self.norm_ffn(x).to(x.dtype)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))

    def forward(
        self,
        hidden: Tensor,
        embedding: Tensor,
        first: int | Tensor,
        prefix: tuple[Tensor, Tensor, Tensor] | None,
        steps: int,
        dtype: torch.dtype,
    ) -> list[Tensor]:
        """Return what the head makes of each slot as the first, second ... of a row of drafts.

        Args:
            hidden: The target's hidden states, [batch, slots, hidden].
            embedding: Of the tokens after them, likewise.
            first: Position of the first slot, for all rows or [batch, 1].
            prefix: Hidden states and embeddings of the slots before, by kind of prefix
                [kinds, n, hidden], and the kind of each row.
            steps: How many drafts in a row.
            dtype: To compute in.
        """
        c = self.config
        batch, slots, _ = hidden.shape
        device = hidden.device
        at = first + torch.arange(slots, device=device)[None]
        turn = tuple(t.to(dtype)[:, None] for t in rotary(at, c.dim, c.theta))
        e = self.norm_e(embedding)
        before = 0
        if prefix:
            before = prefix[0].shape[1]
            x = self.joined(prefix[1], prefix[0], dtype)
            kinds = prefix[2]
            # Rows of one kind begin at the same position.
            start = torch.zeros(len(x), 1, device=device, dtype=torch.long)
            start[kinds] = torch.as_tensor(first, device=device).expand(batch, 1) - before
            place = start + torch.arange(before, device=device)
            old = self.keys(x, tuple(t.to(dtype)[:, None] for t in rotary(place, c.dim, c.theta)))
            old = (old[1][kinds], old[2][kinds])
        ago = torch.arange(slots, device=device)[:, None] + before
        ago = ago - torch.arange(slots + before, device=device)
        outputs: list[Tensor] = []
        made: list[tuple[Tensor, Tensor]] = []
        base = None
        for step in range(steps):
            h = hidden
            if step:  # the slot before guessed this slot's hidden state
                h = torch.cat([hidden[:, :1].to(dtype), outputs[-1][:, :-1]], 1)
            x = self.fc(torch.cat([e, self.norm_h(h)], -1).to(dtype))
            own = self.keys(x, turn)
            if base is None:
                base = own[1:]
                if prefix:
                    base = tuple(torch.cat(pair, 2) for pair in zip(old, base, strict=True))
            else:
                made.append(own[1:])
            later = [
                tuple(shifted(t, len(made) - 1 - i) for t in pair) for i, pair in enumerate(made)
            ]
            hidden_ones = (ago < step) | (ago >= WINDOW)
            bias = torch.zeros(ago.shape, device=device).masked_fill_(hidden_ones, -torch.inf)
            outputs.append(self.layer(x, turn, own, base, later, bias))
        return outputs


def shifted(x: Tensor, by: int) -> Tensor:
    """Return keys or values moved on by some slots."""
    return functional.pad(x, (0, 0, by, 0))[:, :, : x.shape[2]] if by else x
