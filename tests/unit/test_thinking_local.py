"""The kernels that compute a model, against plain NumPy."""

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.processor import computes_chats, lanes
from realtime_avatar.thinking.local import sharing
from realtime_avatar.thinking.local.activations import PANELS, own
from realtime_avatar.thinking.local.dots import ROWS, TOKENS, product
from realtime_avatar.thinking.local.gguf import F32, Q4_0, Q4_1, Q4_K, Q6_K, Q8_0, Gguf, Tensor
from realtime_avatar.thinking.local.kept import KeptPrompts
from realtime_avatar.thinking.local.kernels import MOST, products
from realtime_avatar.thinking.local.model import Model
from realtime_avatar.thinking.local.packing import pack, unpack
from realtime_avatar.thinking.local.vocabulary import Vocabulary
from small_gguf import ROOM, make, make_draft, numbers, scores, write
from small_gguf import TOKENS as NAMES

pytestmark = pytest.mark.skipif(not computes_chats(), reason="this processor cannot compute it")

COLUMNS = 512
KINDS = (Q4_0, Q4_1, Q4_K, Q6_K, Q8_0)


def tensor(kind: int, rows: int) -> Tensor:
    raw = numbers(kind, rows, COLUMNS, np.random.default_rng(kind))
    return Tensor(kind, COLUMNS, raw)


def as_bytes(x: NDArray[np.float32], sharing: int) -> tuple[Any, Any, Any, Any]:
    """Return tokens as bytes, their scales, sums, and what they are now."""
    blocks = x.reshape(len(x), -1, 32)
    scales = (np.abs(blocks).max(-1) / 127).astype(np.float32)
    bytes_ = np.rint(blocks / scales[..., None]).astype(np.int8)
    parts = bytes_.reshape(len(x), -1, sharing).sum(-1)
    sums = (parts * scales.repeat(32 // sharing, 1)).astype(np.float32)
    now = (bytes_ * scales[..., None]).reshape(x.shape)
    return bytes_.reshape(x.shape), scales, np.ascontiguousarray(sums), now


@pytest.mark.parametrize("wide", sorted({0, 8 if lanes() else 0, lanes()}))
@pytest.mark.parametrize("kind", [Q4_0, Q4_1, Q4_K, Q6_K])
def test_products_are_those_of_the_weights(kind: int, wide: int) -> None:
    weights = tensor(kind, 2 * ROWS)
    packed, plain = pack(weights), unpack(weights, np.arange(2 * ROWS))
    rng = np.random.default_rng(1)
    for tokens in TOKENS if wide == ROWS else (1, 2, 4):
        x = rng.normal(0, 1, (tokens, COLUMNS)).astype(np.float32)
        x[0, :32] = 127  # as large as can be
        bytes_, scales, sums, now = as_bytes(x, 32 if packed.bits == 4 else 16)
        multiply, out = product(packed.bits, tokens, wide), np.zeros((tokens, ROWS), np.float32)

        @numba.njit
        def run(*places: int) -> None:
            multiply(*places)  # noqa: B023

        for panel in range(2):
            run(
                packed.bytes[panel].ctypes.data, COLUMNS // 32, bytes_.ctypes.data, COLUMNS,
                scales.ctypes.data, sums.ctypes.data, scales.strides[0], out.ctypes.data, 4 * ROWS,
            )  # fmt: skip
            wanted = now @ plain[ROWS * panel : ROWS * panel + ROWS].T
            # Scales of 16 bits are off by 2^-11.
            assert np.abs(out - wanted).max() < 3e-3 * np.abs(wanted).max()


def test_the_piece_of_a_thread_that_was_put_aside_is_done_again() -> None:
    pieces, rows = 3, 3 * PANELS * ROWS
    packed = pack(tensor(Q4_0, rows))
    x = np.random.default_rng(1).normal(0, 1, (2 * MOST, COLUMNS)).astype(np.float32)
    outs: list[NDArray[np.float32]] = []
    for aside in (False, True):
        held = sharing.counters(1, pieces)
        if aside:
            assert sharing.take(held, 0, pieces) == 0  # somebody takes the first, and no more
        outs.append(np.zeros((2 * MOST, rows), np.float32))
        products(
            packed.place, COLUMNS, rows, np.zeros(0, np.float32), 0.0, x, 3,
            own(COLUMNS, 1, 2 * MOST, 16), held, 0, outs[-1],
        )  # fmt: skip
        if aside:
            assert not sharing.claim(held, 0, 0)  # what they have in the end is not written
    assert outs[0][:3].any(axis=1).all()
    assert np.array_equal(outs[0], outs[1])


def test_weights_are_read_as_the_format_says() -> None:
    rows = np.arange(ROWS)
    raw = tensor(Q4_0, ROWS).rows.reshape(ROWS, -1, 18)
    scale = np.ascontiguousarray(raw[..., :2]).view(np.float16).astype(np.float32)
    halves = np.concatenate([raw[..., 2:] & 15, raw[..., 2:] >> 4], -1).astype(np.float32)
    read = unpack(tensor(Q4_0, ROWS), rows)
    np.testing.assert_allclose(read, ((halves - 8) * scale).reshape(ROWS, -1), rtol=1e-6)
    raw = tensor(Q8_0, ROWS).rows.reshape(ROWS, -1, 34)
    scale = np.ascontiguousarray(raw[..., :2]).view(np.float16).astype(np.float32)
    read = unpack(tensor(Q8_0, ROWS), rows)
    np.testing.assert_allclose(
        read, (raw[..., 2:].view(np.int8) * scale).reshape(ROWS, -1), rtol=1e-6
    )
    raw = tensor(Q6_K, ROWS).rows.reshape(ROWS, -1, 210)[0, 0]
    low, high, scales = raw[:128], raw[128:192], raw[192:208].view(np.int8)
    whole = float(raw[208:210].view(np.float16)[0])
    value = ((low[32 + 5] >> 4) | ((high[5] >> 6) & 3) << 4) - 32.0  # number 32 * 3 + 5
    read = unpack(tensor(Q6_K, ROWS), rows)
    assert read[0, 101] == pytest.approx(whole * scales[6] * value)


def test_what_cannot_be_packed_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be packed"):
        pack(Tensor(F32, COLUMNS, np.zeros((ROWS, COLUMNS * 4), np.uint8)))
    with pytest.raises(ValueError, match="cannot be packed"):
        pack(tensor(Q4_K, ROWS + 1))
    with pytest.raises(ValueError, match="cannot be read"):
        unpack(Tensor(F32, COLUMNS, np.zeros((ROWS, COLUMNS * 4), np.uint8)), np.arange(1))


def opened(path: Path, threads: int = 2) -> tuple[Gguf, Model]:
    file = Gguf(path)
    return file, Model(file, ROOM, threads, np.arange(len(NAMES)))


def plain(file: Gguf) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in file:
        one = file.tensor(name)
        rows = np.arange(one.rows.shape[0])
        found[name] = one.floats() if one.type == F32 else unpack(one, rows).astype(np.float64)
    return found


WORDS = [3, 1, 4, 15, 9, 26, 53, 58, 97, 93, 23, 84, 62, 64, 33, 8, 32, 79, 50, 28, 84, 19, 71]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_a_model_says_what_plain_arithmetic_says(
    architecture: str, threads: int, tmp_path: Path
) -> None:
    make(tmp_path / "m.gguf", architecture)
    file, model = opened(tmp_path / "m.gguf", threads)
    wanted = scores(plain(file), WORDS, architecture == "llama")
    memory, at = model.memory(), 0
    for count in (1, 11, 2, 5, 1, 3):  # in whatever pieces
        likely = model.read(memory, WORDS[at : at + count], guesses=count - 1)
        assert len(likely) == count
        for row, one in enumerate(likely):
            says = wanted[at + row]
            spread = says.std()
            assert np.abs(one.scores - says[one.tokens]).max() < 0.15 * spread
            assert says[one.tokens[0]] > says.max() - 0.15 * spread
        at += count
    assert memory.tokens == WORDS
    model.close()


def test_what_was_guessed_wrong_leaves_nothing(tmp_path: Path) -> None:
    make(tmp_path / "m.gguf")
    _, model = opened(tmp_path / "m.gguf")
    memory, again = model.memory(), model.memory()
    model.read(memory, WORDS[:9])
    assert memory.keep(WORDS[:5]) == 5
    (one,) = model.read(memory, WORDS[5:9])
    model.read(again, WORDS[:5])
    (other,) = model.read(again, WORDS[5:9])
    np.testing.assert_array_equal(one.tokens, other.tokens)
    np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize("since", [0, 6])
def test_guesses_change_no_word(since: int, tmp_path: Path) -> None:
    make(tmp_path / "m.gguf")
    make_draft(tmp_path / "d.gguf")
    file = Gguf(tmp_path / "m.gguf")
    said: list[list[int]] = []
    for draft in (None, Gguf(tmp_path / "d.gguf")):
        model = Model(file, ROOM, 2, np.arange(len(NAMES)), draft)
        memory = model.memory()
        (likely,) = model.read(memory, WORDS)
        memory.since = memory.guessed = since
        words, guesses, rows = list[int](), list[int](), [likely]
        while len(words) < 30:
            read = len(memory.tokens) - len(guesses)
            words.append(int(rows.pop(0).tokens[0]))
            if guesses and guesses.pop(0) == words[-1]:
                continue
            del memory.tokens[read:]
            memory.forget(read)
            assert memory.tokens == [*WORDS, *words[:-1]]
            guesses, rows = model.read_on(memory, words[-1])
            assert len(guesses) == (3 if draft else 0)
        said.append(words)
    assert said[0] == said[1]


def test_a_head_sees_what_it_saw_however_it_came(tmp_path: Path) -> None:
    make(tmp_path / "m.gguf")
    make_draft(tmp_path / "d.gguf")
    file, draft = Gguf(tmp_path / "m.gguf"), Gguf(tmp_path / "d.gguf")
    model = Model(file, ROOM, 2, np.arange(len(NAMES)), draft)
    at_once, bit_by_bit = model.memory(), model.memory()
    model.read(at_once, WORDS)
    guesses, _ = model.read_on(at_once, 5)
    for number, token in enumerate(WORDS):
        model.read_on(bit_by_bit, token)
        del bit_by_bit.tokens[number + 1 :]
        bit_by_bit.forget(number + 1)
    assert model.read_on(bit_by_bit, 5)[0] == guesses
    nothing = model.memory()
    assert model.read_on(nothing, 5)[0] == []  # there is nothing to go on from


def test_many_tokens_are_read(tmp_path: Path) -> None:
    make(tmp_path / "m.gguf")
    file = Gguf(tmp_path / "m.gguf")
    model = Model(file, 2048, 2, np.arange(len(NAMES)))
    memory = model.memory()
    many = (WORDS * 40)[:700]
    said = [model.read(memory, many[at : at + MOST]) for at in range(0, len(many), MOST)]
    ((likely,),) = said[-1:]
    assert memory.tokens == many
    wanted = scores(plain(file), many, interleaved=False)[-1]
    assert wanted[likely.tokens[0]] > wanted.max() - 0.15 * wanted.std()


def test_a_head_goes_on_from_what_was_read_lately(tmp_path: Path) -> None:
    make(tmp_path / "m.gguf")
    make_draft(tmp_path / "d.gguf")
    file, draft = Gguf(tmp_path / "m.gguf"), Gguf(tmp_path / "d.gguf")
    model = Model(file, 512, 2, np.arange(len(NAMES)), draft)
    at_once, bit_by_bit = model.memory(), model.memory()
    many = (WORDS * 20)[:300]
    for at in range(0, 300, 20):
        model.read(at_once, many[at : at + 20])
        model.read(bit_by_bit, many[at : at + 19])
        model.read_on(bit_by_bit, many[at + 19])
        del bit_by_bit.tokens[at + 20 :]
        bit_by_bit.forget(at + 20)
    guesses, _ = model.read_on(at_once, 5)
    assert len(guesses) == 3
    assert model.read_on(bit_by_bit, 5)[0] == guesses
    assert at_once.keep(many[:100]) == 100  # of which it has forgotten what the model made
    assert model.read_on(at_once, 5)[0] == []
    assert len(model.read_on(at_once, 6)[0]) == 3
    model.close()


def test_more_than_the_context_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "m.gguf")
    _, model = opened(tmp_path / "m.gguf")
    memory, before = model.memory(), list[int]()
    with pytest.raises(ValueError, match="more than the model's context"):
        for _ in range(9):
            model.read(memory, WORDS[:MOST])
            before += WORDS[:MOST]
    assert memory.tokens == before
    assert len(before) >= ROOM


def test_nothing_is_guessed_beyond_the_context(tmp_path: Path) -> None:
    make(tmp_path / "m.gguf")
    make_draft(tmp_path / "d.gguf")
    draft = Gguf(tmp_path / "d.gguf")
    model = Model(Gguf(tmp_path / "m.gguf"), ROOM, 2, np.arange(len(NAMES)), draft)
    memory, counts = model.memory(), list[int]()
    for token in (WORDS * 9)[: ROOM + MOST]:
        guesses, _ = model.read_on(memory, token)
        counts.append(len(guesses))
        del memory.tokens[len(memory.tokens) - len(guesses) :]
        memory.forget(len(memory.tokens))
    assert counts == [0, *[3] * (ROOM + MOST - 4), 0, 0, 0]
    with pytest.raises(ValueError, match="more than the model's context"):
        model.read_on(memory, 5)


def by_token(keys: NDArray[np.float16]) -> NDArray[np.float16]:
    layers, shared, _, head, _ = keys.shape
    return keys.swapaxes(-1, -2).reshape(layers, shared, -1, head)


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_what_moves_forwards_is_not_read_again(architecture: str, tmp_path: Path) -> None:
    make(tmp_path / "m.gguf", architecture)
    _, model = opened(tmp_path / "m.gguf")
    memory, anew = model.memory(), model.memory()
    model.read(memory, WORDS)
    left = WORDS[:2] + WORDS[5:]
    assert memory.keep(left) == len(left)
    assert memory.tokens == left
    model.read(anew, left)
    # What the first layer's keys are depends on a token and its place alone; those that were
    # turned have been rounded to 11 bits twice.
    one, other = (by_token(kept.keys)[0, :, : len(left)].astype(float) for kept in (memory, anew))
    assert np.abs(one - other).max() <= 2.0**-10 * np.abs(other).max()
    np.testing.assert_allclose(
        memory.values[0, :, : len(left)], anew.values[0, :, : len(left)], atol=2e-3
    )
    assert memory.keep(WORDS[:2] + WORDS[9:15]) == 2  # too short a run


def test_who_repeats_themselves_is_not_read_again(tmp_path: Path) -> None:
    make(tmp_path / "m.gguf")
    memory = (model := Model(Gguf(tmp_path / "m.gguf"), 256, 2, np.arange(len(NAMES)))).memory()
    one, other = WORDS[:18], list(range(60, 80))
    said = [[*one, *other, end] for end in (40, 41, 42)]
    many = [5, 6, *said[0], *said[1], *said[2]]
    for at in range(0, len(many), MOST):
        model.read(memory, many[at : at + MOST])
    left = [5, 6, *other, 41, *said[2]]
    assert memory.keep(left) == len(left)


def test_what_was_read_is_kept(tmp_path: Path) -> None:
    make(tmp_path / "m.gguf")
    _, model = opened(tmp_path / "m.gguf")
    folder = tmp_path / "prompts"
    folder.mkdir()
    kept = KeptPrompts(folder, tmp_path / "m.gguf")
    memory, other = model.memory(), model.memory()
    assert not kept.restore(other, WORDS)
    model.read(memory, WORDS)
    kept.keep(memory)
    assert KeptPrompts(folder, tmp_path / "m.gguf").restore(other, WORDS)
    assert other.tokens == WORDS
    np.testing.assert_array_equal(other.keys, memory.keys)
    np.testing.assert_array_equal(other.values, memory.values)
    assert not kept.restore(model.memory(), WORDS[:-1])
    (file,) = folder.iterdir()
    for damaged in (b"", file.read_bytes()[:1000], b"PK" + bytes(300)):
        file.write_bytes(damaged)
        assert not kept.restore(model.memory(), WORDS)
    KeptPrompts(None, tmp_path / "m.gguf").keep(memory)
    KeptPrompts(tmp_path / "gone", tmp_path / "m.gguf").keep(memory)


def test_marks_in_a_persons_words_are_words(tmp_path: Path) -> None:
    make(tmp_path / "m.gguf")
    vocabulary = Vocabulary(Gguf(tmp_path / "m.gguf"))
    words = [{"role": "user", "content": "a<|im_end|>b"}]
    tokens = vocabulary.of(words, answered=True)
    assert tokens.count(vocabulary.end) == 1
    spelled = vocabulary.text(tokens).decode()
    assert spelled == "<|im_start|>user\na<|im_end|>b<|im_end|>\n<|im_start|>assistant\n"
    assert vocabulary.text(vocabulary.of(words, answered=False)).decode() == (
        "<|im_start|>user\na<|im_end|>b"
    )
    said = {NAMES[number] for number in vocabulary.spoken}
    assert {"a", "Ġ", "<|im_end|>"} <= said
    assert not {"<|im_start|>", "#", "{", "Ċ"} & said


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"general.architecture": "bert"}, "architecture"),
        ({"qwen2.block_count": None}, "block_count"),
        ({"qwen2.block_count": 3}, "blk.2"),
        ({"tokenizer.ggml.pre": "gpt-9"}, "tokens"),
        ({"tokenizer.ggml.tokens": ["a"]}, "ChatML"),
    ],
)
def test_a_file_that_makes_no_sense_says_why(
    about: dict[str, Any], said: str, tmp_path: Path
) -> None:
    make(tmp_path / "m.gguf")
    file = Gguf(tmp_path / "m.gguf")
    file.about.update(about)
    with pytest.raises(ValueError, match=said):
        Model(file, ROOM, 1, Vocabulary(file).spoken)


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    make(path)
    whole = path.read_bytes()
    for end, said in ((20, "damaged"), (2000, "damaged"), (len(whole) - 5000, "cut off")):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=said):
            opened(path)
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ValueError, match="version"):
        Gguf(path)
    write(path, {"a": 1}, {"b": (99, (2, 32), bytes(64))})
    with pytest.raises(ValueError, match="not known"):
        Gguf(path).tensor("b")
    with pytest.raises(ValueError, match="has no c"):
        Gguf(path).tensor("c")
