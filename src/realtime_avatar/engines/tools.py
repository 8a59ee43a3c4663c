"""What a chat may call while it thinks."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anyio import create_task_group, move_on_after

_LONGEST: Final = 8000  # characters of a result that a model gets to see


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that a chat may call.

    Attributes:
        name: Letters, digits, "_" and "-", at most 64.
        description: For the model: what it does, and when it helps.
        parameters: JSON schema of its arguments, an object.
        run: Does it. What it returns is told to the model, as JSON unless it is text.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    run: Callable[[Mapping[str, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """A chat's wish to use a tool.

    Attributes:
        name: Of the tool.
        arguments: As its schema says, if the model kept to it.
        raw: The wish as the engine got it, which may have to be sent back so.
    """

    name: str
    arguments: Mapping[str, Any]
    raw: Any = None


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of one conversation.

    Attributes:
        tools: In it; the names differ.
        filler: What the avatar says while the first one of a reply runs.
        seconds: How long one may run.
    """

    tools: Sequence[Tool] = ()
    filler: str = ""
    seconds: float = 10

    async def call_all(self, calls: Sequence[Call]) -> list[str]:
        """Run tools side by side; return what `call` does for each, in their order."""
        results = [""] * len(calls)

        async def run(number: int, call: Call) -> None:
            results[number] = await self.call(call)

        async with create_task_group() as tasks:
            for number, call in enumerate(calls):
                tasks.start_soon(run, number, call)
        return results

    async def call(self, call: Call) -> str:
        """Run a tool; return its result, or in words why there is none. No error leaves here."""
        tool = next((tool for tool in self.tools if tool.name == call.name), None)
        if tool is None:
            return f"There is no tool {call.name!r}."
        said = f"The tool took longer than {self.seconds:g} seconds and was stopped."
        with move_on_after(self.seconds):
            try:
                result = await tool.run(call.arguments)
                said = result if isinstance(result, str) else json.dumps(result, default=str)
            except Exception as error:  # somebody else's code may fail with anything
                said = f"The tool failed: {error or type(error).__name__}"
        return said[:_LONGEST]
