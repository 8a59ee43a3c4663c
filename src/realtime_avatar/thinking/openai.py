"""Any server that speaks the OpenAI protocol: OpenAI, vLLM, Ollama, llama.cpp."""

import json
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar, Final

from pydantic import Field

from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.servers import reason_of, steadily, trusted
from realtime_avatar.engines.tools import Call, Toolbox
from realtime_avatar.errors import ChatError
from realtime_avatar.thinking.calling import Round
from realtime_avatar.thinking.remote import ChatOptions, RemoteChat
from realtime_avatar.thinking.thoughts import Thoughts

_NO_KEY: Final = (
    "OpenAI has no credentials: set OPENAI_API_KEY, or base_url for a server of your own"
)


class Options(ChatOptions):
    """Settings of the engine.

    Attributes:
        model: As the server calls it.
        base_url: Of the server, say "http://127.0.0.1:11434/v1"; by default OPENAI_BASE_URL of
            the environment, or else OpenAI's own.
        api_key: By default OPENAI_API_KEY; a server of your own may need none.
        temperature: None leaves it to the server.
        extra: Further fields of the request, by name, for what only one server knows.
    """

    model: str = Field("gpt-5.4-mini", min_length=1)
    base_url: str = ""
    extra: dict[str, Any] = Field(default={})


class OpenAI:
    """Thinks with a model on a server that speaks the OpenAI protocol."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self.options = context.parse(Options)
        import httpx2
        import openai  # takes a second or two, and nobody else needs it

        self._openai, self._httpx2 = openai, httpx2
        trusted()

    def close(self) -> None:
        """Nothing is held: each session closes its own connections."""

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator[RemoteChat]:
        """Open a session, with connections of its own. Missing credentials are told later."""
        options = self.options
        url = options.base_url or os.environ.get("OPENAI_BASE_URL", "")
        key = options.key("OPENAI_API_KEY")
        async with self._openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=url or None,
            max_retries=0,
            timeout=None,
            http_client=self._httpx2.AsyncClient(verify=trusted(), timeout=None),
        ) as client:
            missing = "" if key or url else _NO_KEY
            ask = _Requests(client, options, tools, elsewhere=bool(url)).ask
            yield RemoteChat(ask, options, tools, missing)


class _Requests:
    """What one session asks."""

    def __init__(
        self, client: Any, options: Options, tools: Toolbox | None, *, elsewhere: bool
    ) -> None:
        self._client, self._options, self._tools = client, options, tools
        self._elsewhere = elsewhere  # not at OpenAI itself

    def ask(
        self, messages: Sequence[Message], rounds: Sequence[Round], may_call: bool
    ) -> AsyncGenerator[str | Call]:
        import httpx2
        from openai import APIConnectionError

        options = self._options
        request: dict[str, Any] = {
            "model": options.model,
            "messages": [*_joined(messages), *_called(rounds)],
            # OpenAI's own models refuse the old name, Ollama does not know the new one.
            "max_tokens" if self._elsewhere else "max_completion_tokens": options.max_tokens,
            "stream": True,
        }
        if options.temperature is not None:
            request["temperature"] = options.temperature
        if self._tools and self._tools.tools:
            request["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": dict(tool.parameters),
                    },
                }
                for tool in self._tools.tools
            ]
            request["tool_choice"] = "auto" if may_call else "none"
        stream = partial(self._stream, request | {"extra_body": options.extra})
        lost = (APIConnectionError, httpx2.TransportError)
        return steadily(stream, options, _explain, lost)

    async def _stream(self, request: Mapping[str, Any]) -> AsyncGenerator[str | Call]:
        """Yield one request's text, then its calls.

        Raises:
            ChatError: if the model must not answer, or its answer breaks off.
        """
        finish, said = "", False
        calls: dict[int, dict[str, str]] = {}
        thoughts = Thoughts()
        async with await self._client.chat.completions.create(**request) as chunks:
            async for chunk in chunks:
                for choice in chunk.choices[:1]:
                    _gather(calls, choice.delta.tool_calls or ())
                    if text := thoughts.strip(choice.delta.content or ""):
                        said = True
                        yield text
                    if choice.delta.refusal:
                        raise ChatError("blocked", "the model refused to answer")
                    finish = choice.finish_reason or finish
        if text := thoughts.rest():
            said = True
            yield text
        if not finish:
            raise ChatError("unreachable", "the server's answer broke off")
        if finish == "content_filter":
            raise ChatError("blocked", "the server's filter held back the answer")
        if not said and not calls:
            raise ChatError("failed", f"the model said nothing ({finish})")
        for _, call in sorted(calls.items()):
            yield Call(call["name"], _arguments(call["arguments"]), call)


def _joined(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Return the conversation in OpenAI's form; what one party said in a row is joined.

    Some models' templates refuse two messages in a row of one role.
    """
    joined: list[dict[str, str]] = []
    for message in messages:
        if joined and joined[-1]["role"] == message.role:
            joined[-1]["content"] += "\n" + message.text
        else:
            joined.append({"role": message.role, "content": message.text})
    return joined


def _called(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Return what was called and the results, in OpenAI's form."""
    messages: list[dict[str, Any]] = []
    for turn in rounds:
        wishes = [
            {
                "id": call.raw["id"],
                "type": "function",
                "function": {"name": call.raw["name"], "arguments": call.raw["arguments"]},
            }
            for call in turn.calls
        ]
        messages.append({"role": "assistant", "content": None, "tool_calls": wishes})
        messages += [
            {"role": "tool", "tool_call_id": call.raw["id"], "content": result}
            for call, result in zip(turn.calls, turn.results, strict=True)
        ]
    return messages


def _gather(calls: dict[int, dict[str, str]], deltas: Sequence[Any]) -> None:
    """Add what a chunk brings of calls: names come whole, arguments in pieces."""
    for delta in deltas:
        call = calls.setdefault(delta.index, {"id": "", "name": "", "arguments": ""})
        call["id"] = delta.id or call["id"]
        if delta.function:
            call["name"] = delta.function.name or call["name"]
            call["arguments"] += delta.function.arguments or ""


def _arguments(text: str) -> Mapping[str, Any]:
    try:
        arguments = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _explain(error: Exception) -> ChatError:
    import httpx2
    from openai import APIConnectionError, APIError, APIStatusError

    if isinstance(error, TimeoutError):
        return ChatError("slow", str(error))
    if isinstance(error, APIStatusError):
        reason = reason_of(error.status_code)
        if error.code == "content_filter":
            reason = "blocked"
        return ChatError(reason, f"the chat server answered {error.status_code}: {_said(error)}")
    if isinstance(error, APIConnectionError | httpx2.TransportError):
        cause = error.__cause__ or error
        return ChatError(
            "unreachable", f"the chat server cannot be reached: {type(cause).__name__} {cause}"
        )
    if isinstance(error, APIError):  # told in the middle of a stream
        reason = (
            "quota" if error.code in ("insufficient_quota", "rate_limit_exceeded") else "failed"
        )
        return ChatError(reason, f"the chat server: {error.message}")
    # Not its words: some repeat the answer, which may be in no log.
    return ChatError("failed", f"the chat server's answer made no sense ({type(error).__name__})")


def _said(error: Any) -> str:
    """Return the server's own words; those about a key may quote it."""
    if error.status_code == 401:
        return "unknown credentials"
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return body["message"]
    return error.response.reason_phrase
