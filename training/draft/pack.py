"""Cuts a GGUF file's tensors into pieces of a size, with an index, to be carried elsewhere.

    python pack.py model.gguf pieces 55000000

Beside the pieces: `systems.json` (what the avatar is told, by language), `index.json` (name,
type, shape, offset and size of each tensor in the joined pieces) and `tokenizer.json`. The
output matrix comes last, so that it can be left out.
"""

import json
import sys
from pathlib import Path

from header import Header
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from realtime_avatar.thinking.persona import Persona, system_prompt

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = 3


def tokenizer(values: dict) -> Tokenizer:
    """Build Qwen2's tokenizer from the values of a GGUF header."""
    tokens = values["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ")) for pair in values["tokenizer.ggml.merges"]]
    model = models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges)
    made = Tokenizer(model)
    split = pre_tokenizers.Split(Regex(SPLIT), "isolated")
    spread = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([split, spread])
    made.decoder = decoders.ByteLevel()
    kinds = values["tokenizer.ggml.token_type"]
    made.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, kinds, strict=True)
            if kind == SPECIAL
        ]
    )
    return made


def main(model: Path, out: Path, size: int) -> None:
    header = Header(model)
    systems = {language: system_prompt(Persona(), language) for language in ("en", "zh", "es")}
    (out / "systems.json").write_text(json.dumps(systems, ensure_ascii=False))
    tokenizer(header.values).save(str(out / "tokenizer.json"), pretty=False)
    names = sorted(header.tensors, key=lambda name: name == "output.weight")
    index, at, piece, number = {}, 0, bytearray(), 0
    for name in names:
        tensor = header.tensors[name]
        index[name] = {
            "type": tensor.type,
            "shape": tensor.shape,
            "offset": at,
            "size": tensor.size,
        }
        at += tensor.size
        piece += header.bytes(name).tobytes()
        while len(piece) >= size or (name == names[-1] and piece):
            (out / f"p{number:02}").write_bytes(piece[:size])
            del piece[:size]
            number += 1
    (out / "index.json").write_text(json.dumps(index))
    print(number, "pieces,", at, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
