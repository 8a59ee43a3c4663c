"""The decoder of our own against plain numpy, on random weights."""

from math import erf
from pathlib import Path

import numpy as np
import pytest

from realtime_avatar.errors import ModelMissing
from realtime_avatar.hearing.text_decoder import TextDecoder

from .test_hearing_ctranslate2_file import written

WIDTH, HEADS, LAYERS, WORDS, PLACES, FRAMES = 48, 3, 2, 37, 11, 9
Variables = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def variables() -> Variables:
    chance = np.random.default_rng(0)
    held: Variables = {"decoder/num_heads": np.array(HEADS, np.int16)}

    def floats(name: str, *shape: int, around: float = 0) -> None:
        held[f"decoder/{name}"] = (around + chance.standard_normal(shape) / 7).astype(np.float32)

    def linear(name: str, out: int, into: int) -> None:
        floats(f"{name}/weight", out, into)
        floats(f"{name}/bias", out)

    def norm(name: str) -> None:
        floats(f"{name}/layer_norm/gamma", WIDTH, around=1)
        floats(f"{name}/layer_norm/beta", WIDTH)

    for layer in range(LAYERS):
        at = f"layer_{layer}"
        for part in ("self_attention", "attention", "ffn"):
            norm(f"{at}/{part}")
        linear(f"{at}/self_attention/linear_0", 3 * WIDTH, WIDTH)
        linear(f"{at}/self_attention/linear_1", WIDTH, WIDTH)
        linear(f"{at}/attention/linear_0", WIDTH, WIDTH)
        linear(f"{at}/attention/linear_1", 2 * WIDTH, WIDTH)
        linear(f"{at}/attention/linear_2", WIDTH, WIDTH)
        linear(f"{at}/ffn/linear_0", 4 * WIDTH, WIDTH)
        linear(f"{at}/ffn/linear_1", WIDTH, 4 * WIDTH)
    floats("layer_norm/gamma", WIDTH, around=1)
    floats("layer_norm/beta", WIDTH)
    floats("embeddings/weight", WORDS, WIDTH)
    floats("position_encodings/encodings", PLACES, WIDTH)
    return held


@pytest.fixture
def decoder(tmp_path: Path, variables: Variables) -> TextDecoder:
    return TextDecoder(written(tmp_path / "model.bin", variables))


def plain(held: Variables, encoded: np.ndarray, tokens: list[int]) -> np.ndarray:
    """Return the logits after each token of one text, in float64."""

    def get(name: str) -> np.ndarray:
        value = held[f"decoder/{name}"].astype(np.float64)
        # The matrices that are kept in bytes; those of the sound are not.
        if value.ndim == 2 and "position" not in name and "/attention/linear_1" not in name:
            scale = np.abs(value).max(axis=1, keepdims=True) / 127
            value = np.round(value / scale) * scale
        return value

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ get(f"{name}/weight").T + get(f"{name}/bias")

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        apart = x - x.mean(axis=-1, keepdims=True)
        scaled = apart / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
        return scaled * get(f"{name}/gamma") + get(f"{name}/beta")

    def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> np.ndarray:
        q, k, v = (x.reshape(len(x), HEADS, -1).swapaxes(0, 1) for x in (q, k, v))
        scores = q @ k.swapaxes(1, 2) / np.sqrt(WIDTH // HEADS) + mask
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return (shares / shares.sum(axis=-1, keepdims=True) @ v).swapaxes(0, 1).reshape(-1, WIDTH)

    many = len(tokens)
    x = get("embeddings/weight")[tokens] + get("position_encodings/encodings")[:many]
    later = np.where(np.tri(many) > 0, 0, -np.inf)
    for layer in range(LAYERS):
        at = f"layer_{layer}/self_attention"
        asked = linear(norm(x, f"{at}/layer_norm"), f"{at}/linear_0")
        q, k, v = np.split(asked, 3, axis=1)
        x = x + linear(attend(q, k, v, later), f"{at}/linear_1")
        at = f"layer_{layer}/attention"
        asked = linear(norm(x, f"{at}/layer_norm"), f"{at}/linear_0")
        k, v = np.split(linear(encoded, f"{at}/linear_1"), 2, axis=1)
        x = x + linear(attend(asked, k, v, np.zeros(1)), f"{at}/linear_2")
        at = f"layer_{layer}/ffn"
        wide = linear(norm(x, f"{at}/layer_norm"), f"{at}/linear_0")
        wide = wide * (1 + np.vectorize(erf)(wide / np.sqrt(2))) / 2
        x = x + linear(wide, f"{at}/linear_1")
    return norm(x, "layer_norm") @ get("embeddings/weight").T


def test_a_text_is_read_as_plain_arithmetic_does(decoder: TextDecoder, variables: Variables):
    encoded = np.random.default_rng(1).standard_normal((FRAMES, WIDTH)).astype(np.float32)
    tokens = [3, 14, 15, 9, 26]
    sound = decoder.listen(encoded)
    found = decoder.read(np.array(tokens), sound, decoder.memory(1, PLACES))
    np.testing.assert_allclose(found, plain(variables, encoded, tokens), atol=2e-5)


def test_hypotheses_go_on_apart(decoder: TextDecoder, variables: Variables):
    encoded = np.random.default_rng(2).standard_normal((FRAMES, WIDTH)).astype(np.float32)
    sound, memory = decoder.listen(encoded), decoder.memory(3, PLACES)
    decoder.read(np.array([5, 6]), sound, memory)
    memory = memory.of(np.array([0, 0, 0]), 2)
    decoder.go_on(np.array([1, 2, 3]), 2, sound, memory)
    memory = memory.of(np.array([2, 0, 2]), 3)
    found = decoder.go_on(np.array([7, 8, 9]), 3, sound, memory)
    texts = [5, 6, 3, 7], [5, 6, 1, 8], [5, 6, 3, 9]
    expected = [plain(variables, encoded, list(text))[-1] for text in texts]
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_another_file_is_told(tmp_path: Path):
    file = written(tmp_path / "model.bin", {"decoder/num_heads": np.array(8, np.int16)})
    with pytest.raises(ModelMissing, match="is not what it should be"):
        TextDecoder(file)
