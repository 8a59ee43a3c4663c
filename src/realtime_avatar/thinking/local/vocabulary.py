"""A model's tokens: from text and back, and which of them can be spoken."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from realtime_avatar.thinking.local.gguf import Gguf
from realtime_avatar.thinking.spoken import UNSPOKEN

_CONTROL: Final = 3
_NORMAL: Final = 1
_ONE_DIGIT: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BEGIN, _END = "<|im_start|>", "<|im_end|>"
_FOREIGN: Final = re.compile(
    "[^\0-\u024f\u1e00-\u1eff\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u3000-\u303f\u4e00-\u9fff"
    "\uff00-\uffef]"
)
"""What no voice here says: all scripts but Latin and Chinese."""


class Vocabulary:
    """Tokens of a model that was taught to converse in ChatML.

    Attributes:
        end: The token that ends a message.
        tokenizer: Of the `tokenizers` library.
        spoken: Tokens that a voice could say, and `end`, in order.

    Raises:
        ValueError: if they are of another kind than is known here.
    """

    def __init__(self, file: Gguf) -> None:
        about = file.about
        tokens: list[str] = about.get("tokenizer.ggml.tokens", [])
        kinds: list[int] = about.get("tokenizer.ggml.token_type", [])
        merges = [tuple(merge.split(" ")) for merge in about.get("tokenizer.ggml.merges", [])]
        split = about.get("tokenizer.ggml.pre")
        if about.get("tokenizer.ggml.model") != "gpt2" or split not in _SPLITS:
            raise ValueError("its tokens are of a kind that is not known here")
        numbers = {token: number for number, token in enumerate(tokens)}
        if _BEGIN not in numbers or _END not in numbers:
            raise ValueError("it was not taught to converse in ChatML")
        self.size, self.end = len(tokens), numbers[_END]
        try:
            self.tokenizer: Any = Tokenizer(models.BPE(vocab=numbers, merges=merges))
        except Exception as error:  # its library raises nothing narrower
            raise ValueError(f"its tokens are damaged: {error}") from error
        self.tokenizer.pre_tokenizer = _SPLITS[split]()
        self.tokenizer.decoder = decoders.ByteLevel()
        self.tokenizer.add_special_tokens(
            [
                AddedToken(token, special=True, normalized=False)
                for token, kind in zip(tokens, kinds, strict=True)
                if kind == _CONTROL
            ]
        )
        # What looks like a mark in a person's words is none: it would end their message.
        self.tokenizer.encode_special_tokens = True
        self._letters = _letters()
        self._bytes = [self._spelled(token) for token in tokens]
        normal = [number for number, kind in enumerate(kinds) if kind == _NORMAL]
        spoken = [number for number in normal if _can_be_said(self._bytes[number])]
        self.spoken: NDArray[np.intp] = np.array(sorted({*spoken, self.end}))

    def of(self, messages: Iterable[dict[str, str]], *, answered: bool) -> list[int]:
        """Return the tokens of messages.

        Args:
            messages: In OpenAI's form.
            answered: Whether an answer follows; otherwise the last message may go on.
        """
        numbers: list[int] = []
        begin, line = self.tokenizer.token_to_id(_BEGIN), self._plain("\n")
        for message in messages:
            numbers += [begin, *self._plain(f"{message['role']}\n{message['content']}")]
            numbers += [self.end, *line]
        if answered:
            return [*numbers, begin, *self._plain("assistant\n")]
        return numbers[: -1 - len(line)]

    def text(self, tokens: Sequence[int]) -> bytes:
        """Return what tokens spell, UTF-8; one alone may be a part of a letter."""
        return b"".join(self._bytes[token] for token in tokens)

    def _plain(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def _spelled(self, token: str) -> bytes:
        try:
            return bytes(self._letters[letter] for letter in token)
        except KeyError:
            return token.encode()


def _letters() -> dict[str, int]:
    """Return the letters in which byte-level tokens write bytes (GPT-2's)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    written = {chr(byte): byte for byte in plain}
    return written | {chr(256 + at): byte for at, byte in enumerate(others)}


def _can_be_said(token: bytes) -> bool:
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return True
    return not (UNSPOKEN.search(text) or _FOREIGN.search(text))


def _qwen() -> Any:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_ONE_DIGIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _smollm() -> Any:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


_SPLITS: Final = {"qwen2": _qwen, "smollm": _smollm}
