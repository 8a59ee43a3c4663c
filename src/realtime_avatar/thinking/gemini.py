"""Google's Gemini, by an API key or through Vertex AI."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from realtime_avatar.engines.google import NO_KEY, Connection, Google, GoogleOptions, explain, lost
from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.servers import steadily
from realtime_avatar.engines.tools import Call, Toolbox
from realtime_avatar.errors import ChatError
from realtime_avatar.thinking.calling import Round
from realtime_avatar.thinking.remote import ChatOptions, RemoteChat


class Options(ChatOptions, GoogleOptions):
    """Settings of the engine.

    Attributes:
        model: Of the Flash family by default: it answers soonest.
        thinking: How much it thinks before it answers; somebody waits meanwhile. "unset" leaves
            it to the model, as those before Gemini 3 want it.
        temperature: None leaves it to the model; Gemini 3 wants it so.
    """

    model: str = Field("gemini-3.8-flash", min_length=1)
    thinking: Literal["minimal", "low", "medium", "high", "unset"] = "low"


class Gemini:
    """Thinks with a Gemini model."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self.options = context.parse(Options)
        self._google = Google(self.options)

    def close(self) -> None:
        """Nothing is held: each session closes its own connections."""

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator[RemoteChat]:
        """Open a session, with connections of its own. Missing credentials are told later."""
        async with self._google.connect() as connection:
            missing = "" if connection.known else NO_KEY
            ask = _Requests(connection, self.options, tools).ask
            yield RemoteChat(ask, self.options, tools, missing)


class _Requests:
    """What one session asks."""

    def __init__(self, connection: Connection, options: Options, tools: Toolbox | None) -> None:
        self._connection, self._options, self._tools = connection, options, tools

    def ask(
        self, messages: Sequence[Message], rounds: Sequence[Round], may_call: bool
    ) -> AsyncGenerator[str | Call]:
        request = {
            "model": self._options.model,
            "contents": [*_contents(messages), *_called(rounds)],
            "config": self._config(messages, may_call),
        }
        return steadily(partial(self._stream, request), self._options, _told, lost())

    async def _stream(self, request: Mapping[str, Any]) -> AsyncGenerator[str | Call]:
        """Yield one request's text and calls."""
        said = False
        async with aclosing(self._connection.parts(request)) as parts:
            async for part in parts:
                if (found := _understood(part)) is not None:
                    said = True
                    yield found
        if not said:
            raise ChatError("failed", "Gemini said nothing")

    def _config(self, messages: Sequence[Message], may_call: bool) -> dict[str, Any]:
        options = self._options
        config: dict[str, Any] = {
            "max_output_tokens": options.max_tokens,
            "automatic_continuation": False,
            "automatic_function_calling": {"disable": True},
        }
        if system := "\n".join(message.text for message in messages if message.role == "system"):
            config["system_instruction"] = system
        if options.thinking != "unset":
            config["thinking_config"] = {"thinking_level": options.thinking}
        if options.temperature is not None:
            config["temperature"] = options.temperature
        if self._tools and self._tools.tools:
            declared = [
                {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters_json_schema": dict(tool.parameters),
                }
                for tool in self._tools.tools
            ]
            config["tools"] = [{"function_declarations": declared}]
            if not may_call:
                config["tool_config"] = {"function_calling_config": {"mode": "NONE"}}
        return config


def _contents(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the conversation in Gemini's form; what one party said in a row is joined."""
    contents: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "model" if message.role == "assistant" else "user"
        if not contents or contents[-1]["role"] != role:
            contents.append({"role": role, "parts": []})
        contents[-1]["parts"].append({"text": message.text})
    return contents


def _called(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Return what was called, as Gemini wants it back, and the results."""
    contents: list[dict[str, Any]] = []
    for turn in rounds:
        contents.append({"role": "model", "parts": [call.raw for call in turn.calls]})
        answers = [
            {
                "function_response": {
                    "id": call.raw.function_call.id,
                    "name": call.name,
                    "response": {"result": result},
                }
            }
            for call, result in zip(turn.calls, turn.results, strict=True)
        ]
        contents.append({"role": "user", "parts": answers})
    return contents


def _understood(part: Any) -> str | Call | None:
    """Return a part's text or call; thoughts are neither."""
    if part.function_call:
        called = part.function_call
        # The part itself: Gemini 3 wants the signature back that it bears.
        return Call(called.name or "", called.args or {}, part)
    return part.text if part.text and not part.thought else None


def _told(error: Exception) -> ChatError:
    return ChatError(*explain(error))
