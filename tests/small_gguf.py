"""Small models in GGUF format, made up, and what they compute in plain NumPy."""

import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.thinking.local.gguf import F32, Q4_0, Q4_1, Q4_K, Q6_K, Q8_0

Array = NDArray[Any]
ROOM: Final = 64
_LETTERS = [chr(byte) for byte in range(33, 127)] + ["Ġ", "Ċ", "Ġx"]
TOKENS: Final = [*_LETTERS, "<|im_start|>", "<|im_end|>"] + [f"Ġx{at}" for at in range(29)]
_SIZES: Final = {Q4_0: (32, 18), Q4_1: (32, 20), Q8_0: (32, 34), Q4_K: (256, 144), Q6_K: (256, 210)}


def numbers(kind: int, rows: int, columns: int, random: np.random.Generator) -> Array:
    """Return bytes of a matrix whose scales are small and of which all else is random."""
    block, size = _SIZES[kind]
    raw = random.integers(0, 256, (rows, columns // block, size), dtype=np.uint8)
    scales = (random.uniform(0.5, 1, (*raw.shape[:2], 2)) * 0.002).astype(np.float16)
    halves = np.ascontiguousarray(scales).view(np.uint8)
    if kind == Q6_K:
        raw[..., 208:210] = (scales[..., :1] / 20).view(np.uint8)
    elif kind in (Q4_1, Q4_K):
        raw[..., :4] = halves
    else:
        raw[..., :2] = halves[..., :2]
    return raw.reshape(rows, -1)


def write(
    path: Path,
    about: dict[str, Any],
    tensors: dict[str, tuple[int, tuple[int, int], bytes]],
) -> None:
    """Write a file: keys and values, and tensors as (type, (rows, columns), bytes)."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def value(it: Any) -> bytes:
        match it:
            case str():
                return struct.pack("<I", 8) + text(it)
            case float():
                return struct.pack("<If", 6, it)
            case int():
                return struct.pack("<II", 4, it)
            case _:
                kind = 8 if isinstance(it[0], str) else 5
                each = b"".join(text(one) if kind == 8 else struct.pack("<i", one) for one in it)
                return struct.pack("<IIQ", 9, kind, len(it)) + each

    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(about))
    head += b"".join(text(key) + value(it) for key, it in about.items())
    data = b""
    for name, (kind, (rows, columns), bytes_) in tensors.items():
        shape = (columns,) if rows == 0 else (columns, rows)
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        head += struct.pack("<IQ", kind, len(data))
        data += bytes_ + bytes(-len(bytes_) % 32)
    path.write_bytes(head + bytes(-len(head) % 32) + data)


def make(path: Path, architecture: str = "qwen2", seed: int = 5) -> None:
    """Write a model of two layers."""
    random = np.random.default_rng(seed)
    width, inner, shared = 256, 512, 128
    vocabulary = len(TOKENS)
    kinds = [3 if token.startswith("<|") else 1 for token in TOKENS]
    about = {
        "general.architecture": architecture,
        f"{architecture}.block_count": 2,
        f"{architecture}.embedding_length": width,
        f"{architecture}.feed_forward_length": inner,
        f"{architecture}.attention.head_count": 4,
        f"{architecture}.attention.head_count_kv": 2,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-6,
        f"{architecture}.rope.freq_base": 10_000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": ["Ġ x"],
    }
    tensors: dict[str, tuple[int, tuple[int, int], bytes]] = {}

    def matrix(name: str, kind: int, rows: int, columns: int) -> None:
        bytes_ = numbers(kind, rows, columns, random).tobytes()
        tensors[f"{name}.weight"] = kind, (rows, columns), bytes_

    def vector(name: str, size: int, middle: float) -> None:
        drawn = (middle + random.normal(0, 0.1, size)).astype(np.float32)
        tensors[name] = F32, (0, size), drawn.tobytes()

    matrix("token_embd", Q8_0 if architecture == "llama" else Q4_K, vocabulary, width)
    if architecture == "qwen2":
        matrix("output", Q6_K, vocabulary, width)
    vector("output_norm.weight", width, 1)
    four = Q4_1 if architecture == "llama" else Q4_K
    for layer in range(2):
        at = f"blk.{layer}"
        matrix(f"{at}.attn_q", four, width, width)
        matrix(f"{at}.attn_k", four, shared, width)
        matrix(f"{at}.attn_v", Q6_K, shared, width)
        matrix(f"{at}.attn_output", Q4_0, width, width)
        matrix(f"{at}.ffn_gate", four, inner, width)
        matrix(f"{at}.ffn_up", four, inner, width)
        matrix(f"{at}.ffn_down", Q6_K, width, inner)
        for name in ("attn_norm", "ffn_norm"):
            vector(f"{at}.{name}.weight", width, 1)
        if architecture == "qwen2":
            for name, size in (("q", width), ("k", shared), ("v", shared)):
                vector(f"{at}.attn_{name}.bias", size, 0)
    write(path, about, tensors)


def make_draft(path: Path, seed: int = 9) -> None:
    """Write a draft head for such a model, which knows nothing."""
    random = np.random.default_rng(seed)
    shapes = {
        "fc": (256, 512), "q": (256, 256), "k": (128, 256), "v": (128, 256), "o": (256, 256),
        "gate": (512, 256), "up": (512, 256), "down": (256, 512),
    }  # fmt: skip
    tensors: dict[str, tuple[int, tuple[int, int], bytes]] = {
        name: (Q4_1, shape, numbers(Q4_1, *shape, random).tobytes())
        for name, shape in shapes.items()
    }
    for name in ("e", "h", "attn", "ffn", "out"):
        tensors[f"norm_{name}"] = F32, (0, 256), np.ones(256, np.float32).tobytes()
    write(path, {"draft.window": 8, "draft.vocabulary": list(range(64))}, tensors)


def scores(matrices: dict[str, Array], tokens: list[int], interleaved: bool) -> Array:
    """Return what a model says after each token, float64 [tokens, vocabulary].

    Args:
        matrices: Its weights as numbers, by name.
        tokens: That it reads.
        interleaved: Whether positions turn neighbours.
    """

    def normed(x: Array, name: str) -> Array:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * matrices[name]

    def turned(x: Array) -> Array:
        size = x.shape[-1]
        angles = np.arange(len(x))[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
        cosines, sines = np.cos(angles)[:, None], np.sin(angles)[:, None]
        first, second = (
            (x[..., 0::2], x[..., 1::2])
            if interleaved
            else (x[..., : size // 2], x[..., size // 2 :])
        )
        a, b = first * cosines - second * sines, first * sines + second * cosines
        return np.stack([a, b], -1).reshape(x.shape) if interleaved else np.concatenate([a, b], -1)

    def asked(x: Array, name: str) -> Array:
        return x @ matrices[f"{name}.weight"].T + matrices.get(f"{name}.bias", 0)

    x = matrices["token_embd.weight"][tokens]
    later = np.triu(np.full((len(tokens),) * 2, -np.inf), 1)
    for layer in range(2):
        at = f"blk.{layer}"
        y = normed(x, f"{at}.attn_norm.weight")
        q, k, v = (asked(y, f"{at}.attn_{name}") for name in "qkv")
        q, k, v = (part.reshape(len(tokens), -1, 64) for part in (q, k, v))
        q, k = turned(q), turned(k)
        k, v = (part.repeat(2, axis=1) for part in (k, v))
        looks = np.einsum("qhd,khd->hqk", q, k) / 8 + later
        looks = np.exp(looks - looks.max(-1, keepdims=True))
        looks /= looks.sum(-1, keepdims=True)
        seen = np.einsum("hqk,khd->qhd", looks, v).reshape(len(tokens), -1)
        x = x + seen @ matrices[f"{at}.attn_output.weight"].T
        y = normed(x, f"{at}.ffn_norm.weight")
        gate = y @ matrices[f"{at}.ffn_gate.weight"].T
        middle = gate / (1 + np.exp(-gate)) * (y @ matrices[f"{at}.ffn_up.weight"].T)
        x = x + middle @ matrices[f"{at}.ffn_down.weight"].T
    head = matrices.get("output.weight", matrices["token_embd.weight"])
    return normed(x, "output_norm.weight") @ head.T
