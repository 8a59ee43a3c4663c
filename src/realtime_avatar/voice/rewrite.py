"""Ordered rules that rewrite a text."""

import re
from collections.abc import Callable

Said = str | Callable[[re.Match[str]], str]


class Rewriter:
    """Applies rules one after another, each to all of the text.

    Args:
        rules: A pattern each, and what it becomes: a template or a function of the match.
    """

    def __init__(self, *rules: tuple[str, Said]) -> None:
        self._rules = tuple((re.compile(pattern), said) for pattern, said in rules)

    def __call__(self, text: str) -> str:
        for pattern, said in self._rules:
            text = pattern.sub(said, text)
        return text
