"""A reply in which a model may call tools."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from realtime_avatar.engines.tools import Call, Toolbox

FILLERS: Final = {
    "en": "One moment, let me look.",
    "zh": "稍等，我看一下。",
    "es": "Un momento, voy a mirarlo.",
}
"""What is said while a tool runs."""

ROUNDS: Final = 4
"""How often in one reply a model may call tools; then it has to answer."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a model called at once, and what came of it, in the same order."""

    calls: Sequence[Call]
    results: Sequence[str]


Ask = Callable[[Sequence[Round], bool], AsyncGenerator[str | Call]]
"""(what was called so far, whether more may be called) -> text and calls."""


async def answer_with_tools(ask: Ask, toolbox: Toolbox | None) -> AsyncGenerator[str]:
    """Yield a reply, running the tools that it calls for.

    Where the model says nothing itself before it calls the first one, the toolbox's filler is
    said, so that nobody wonders at the silence.
    """
    rounds: list[Round] = []
    said = False
    while True:
        calls: list[Call] = []
        may_call = toolbox is not None and len(rounds) < ROUNDS
        async with aclosing(ask(rounds, may_call)) as parts:
            async for part in parts:
                if isinstance(part, Call):
                    calls.append(part)
                else:
                    said = True
                    yield part
        if not calls or toolbox is None or not may_call:
            return
        if said:
            yield " "  # what follows is another sentence
        elif toolbox.filler:
            said = True
            yield toolbox.filler + " "
        rounds.append(Round(calls, await toolbox.call_all(calls)))
