"""Python functions that a chat may call, found by name as engines are.

A package offers one by an entry point, say in its pyproject.toml:

    [project.entry-points."realtime_avatar.tools"]
    opening_hours = "museum.hours:opening_hours"

and the owner lets the avatar use it by `tools = ["opening_hours"]`. The first paragraph of its
docstring tells the model when to call it, its annotations with what. It may be async; if not,
it runs in a worker thread.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import entry_points
from typing import Any, Final

from pydantic import ConfigDict, create_model

from realtime_avatar.engines.runtime import step
from realtime_avatar.engines.tools import Tool
from realtime_avatar.errors import ConfigError

GROUP: Final = "realtime_avatar.tools"


def load_function(name: str) -> Tool:
    """Import a function that a package offers.

    Raises:
        ConfigError: if there is none of that name, or it cannot be used.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise ConfigError(f"there is no tool {name!r}; installed are: {known}")
    try:
        return tool_from(name, found[name].load())
    except (ImportError, AttributeError, TypeError, NameError, ValueError) as error:
        raise ConfigError(f"the tool {name!r} cannot be loaded: {error}") from error


def tool_from(name: str, function: Callable[..., Any]) -> Tool:
    """Return a function as a tool.

    Raises:
        TypeError: if it is no function, or has arguments that cannot be given by name.
    """
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"its argument {parameter.name!r} cannot be given by name")
        empty = parameter.empty
        kind = Any if parameter.annotation is empty else parameter.annotation
        fields[parameter.name] = (kind, ... if parameter.default is empty else parameter.default)
    shape = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)

    async def run(arguments: Mapping[str, Any]) -> Any:
        parsed = shape.model_validate(dict(arguments))
        given = {field: getattr(parsed, field) for field in fields}
        if inspect.iscoroutinefunction(function):
            return await function(**given)
        return await step(partial(function, **given), leave=True)

    about, _, _ = (inspect.getdoc(function) or name).partition("\n\n")
    return Tool(name, " ".join(about.split()), shape.model_json_schema(), run)
