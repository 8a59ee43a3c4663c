"""Holding a model to what can be spoken, token by token."""

from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray

from realtime_avatar.errors import EngineError
from realtime_avatar.thinking.local.vocabulary import Vocabulary
from realtime_avatar.thinking.spoken import PATTERN


class Manner:
    """The grammar of `spoken.PATTERN`, over a model's tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        text = vocabulary.tokenizer.to_str()
        self._tokens = LLTokenizer(text, n_vocab=vocabulary.size, eos_token=vocabulary.end)
        self._grammar = LLMatcher.grammar_from_regex(PATTERN)

    def reply(self) -> "Reply":
        """Begin a reply."""
        return Reply(LLMatcher(self._tokens, self._grammar))


class Reply:
    """One reply, as far as it is written."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def allows(self, token: int) -> bool:
        """Return whether a token may follow."""
        return self._matcher.validate_tokens([token]) == 1

    def allowed(self) -> NDArray[np.bool_]:
        """Return for each token whether it may follow; this takes milliseconds."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        return np.unpackbits(bits, bitorder="little").view(np.bool_)

    def add(self, token: int) -> None:
        """Write a token that may follow."""
        if not self._matcher.consume_token(token):
            raise EngineError("chat", self._matcher.get_error() or "a token that may not follow")

    @property
    def ended(self) -> bool:
        """Whether nothing may follow."""
        return self._matcher.is_stopped()
