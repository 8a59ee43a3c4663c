"""Google's Gemini, by an API key or through Vertex AI."""

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any, ClassVar, Final, Literal

import anyio
from pydantic import Field

from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import step
from realtime_avatar.engines.tools import Call, Toolbox
from realtime_avatar.errors import ChatError
from realtime_avatar.thinking.calling import Round, answer_with_tools
from realtime_avatar.thinking.question import check_question, recent
from realtime_avatar.thinking.streaming import RemoteOptions, reason_of, steadily, trusted

_KEYS: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
_NO_KEY: Final = (
    "Gemini has no credentials: set GEMINI_API_KEY, or for Vertex AI GOOGLE_CLOUD_PROJECT"
)
_WHOLE: Final = frozenset({"STOP", "MAX_TOKENS"})
_BROKEN: Final = frozenset(
    {
        "FINISH_REASON_UNSPECIFIED",
        "OTHER",
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
    }
)
"""Why a model stopped that was not able to go on; for anything else it was not allowed to."""


class Options(RemoteOptions):
    """Settings of the engine.

    Attributes:
        model: Of the Flash family by default: it answers soonest.
        api_key: By default GEMINI_API_KEY or GOOGLE_API_KEY of the environment.
        project: Of Google Cloud: use Vertex AI, with application-default credentials. By
            default GOOGLE_CLOUD_PROJECT, if there is no key.
        location: Of Vertex AI; by default GOOGLE_CLOUD_LOCATION, or else "global".
        thinking: How much it thinks before it answers; somebody waits meanwhile. "unset" leaves
            it to the model, as those before Gemini 3 want it.
        temperature: None leaves it to the model; Gemini 3 wants it so.
        base_url: Of a gateway instead of Google.
    """

    model: str = Field("gemini-3.8-flash", min_length=1)
    project: str = ""
    location: str = ""
    thinking: Literal["minimal", "low", "medium", "high", "unset"] = "low"
    base_url: str = ""


class Gemini:
    """Thinks with a Gemini model."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self.options = context.parse(Options)
        import httpx2
        from google import genai  # takes a second or two, and nobody else needs it

        self._genai, self._httpx2 = genai, httpx2
        trusted()

    def close(self) -> None:
        """Nothing is held: each session closes its own connections."""

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["GeminiChat"]:
        """Open a session, with connections of its own. Missing credentials are told later."""
        async with self._httpx2.AsyncClient(verify=trusted(), timeout=None) as http:
            client = await step(partial(self._client, http))
            chat = GeminiChat(client, self.options, tools)
            http.event_hooks = {"response": [chat.note]}
            yield chat

    def _client(self, http: Any) -> Any:
        """Make a client, 50 ms of work; None if nobody said who we are."""
        options, types = self.options, self._genai.types
        settings = types.HttpOptions(
            httpx_async_client=http,
            httpx_client=self._httpx2.Client(verify=trusted()),
            base_url=options.base_url or None,
        )
        key = options.key(*_KEYS)
        project = options.project or ("" if key else os.environ.get("GOOGLE_CLOUD_PROJECT", ""))
        if project:
            where = options.location or os.environ.get("GOOGLE_CLOUD_LOCATION") or "global"
            return self._genai.Client(
                vertexai=True, project=project, location=where, http_options=settings
            )
        return key and self._genai.Client(vertexai=False, api_key=key, http_options=settings)


class GeminiChat:
    """One session."""

    def __init__(self, client: Any, options: Options, tools: Toolbox | None) -> None:
        self._client, self._options, self._tools = client, options, tools
        self._response: Any = None

    async def note(self, response: Any) -> None:
        """Remember the HTTP response: the client's stream, closed early, leaves it open."""
        self._response = response

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Yield the answer to the last message.

        Raises:
            InputError: if the message is empty or too long.
            ChatError: if there is no answer, or no more of it.
        """
        check_question(messages)
        if not self._client:
            raise ChatError("credentials", _NO_KEY)
        ask = partial(self._ask, recent(messages, self._options.history))
        async with aclosing(answer_with_tools(ask, self._tools)) as pieces:
            async for piece in pieces:
                yield piece

    def _ask(
        self, messages: Sequence[Message], rounds: Sequence[Round], may_call: bool
    ) -> AsyncGenerator[str | Call]:
        import httpx2

        request = {
            "model": self._options.model,
            "contents": [*_contents(messages), *_called(rounds)],
            "config": self._config(messages, may_call),
        }
        stream = partial(self._stream, request)
        return steadily(stream, self._options, _explain, (httpx2.TransportError,))

    async def _stream(self, request: Mapping[str, Any]) -> AsyncGenerator[str | Call]:
        """Yield one request's text and calls.

        Raises:
            ChatError: if the model must not answer, or its answer breaks off.
        """
        finish, said = "", False
        try:
            async for chunk in await self._client.aio.models.generate_content_stream(**request):
                if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
                    raise _blocked(chunk.prompt_feedback.block_reason)
                for candidate in (chunk.candidates or ())[:1]:
                    for part in _parts(candidate):
                        said = True
                        yield part
                    if candidate.finish_reason:
                        finish = candidate.finish_reason.value
        finally:
            with anyio.CancelScope(shield=True), suppress(Exception):
                if self._response is not None:
                    await self._response.aclose()
        if not finish:
            raise ChatError("unreachable", "Gemini's answer broke off")
        if finish not in _WHOLE:
            raise _stopped(finish)
        if not said:
            raise ChatError("failed", f"Gemini said nothing ({finish})")

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


def _parts(candidate: Any) -> list[str | Call]:
    """Return a chunk's text, without thoughts, and its calls."""
    found: list[str | Call] = []
    for part in (candidate.content and candidate.content.parts) or ():
        if part.function_call:
            called = part.function_call
            # The part itself: Gemini 3 wants the signature back that it bears.
            found.append(Call(called.name or "", called.args or {}, part))
        elif part.text and not part.thought:
            found.append(part.text)
    return found


def _blocked(reason: Any) -> ChatError:
    return ChatError("blocked", f"Gemini refused the question ({reason.value})")


def _stopped(finish: str) -> ChatError:
    if finish in _BROKEN:
        return ChatError("failed", f"Gemini could not finish its answer ({finish})")
    return ChatError("blocked", f"Gemini held back its answer ({finish})")


def _explain(error: Exception) -> ChatError:
    import httpx2
    from google.auth.exceptions import DefaultCredentialsError, RefreshError
    from google.genai.errors import APIError

    if isinstance(error, APIError):
        reason = reason_of(error.code or 500)
        if "API_KEY_INVALID" in str(error.details):  # told as a mere bad request
            reason = "credentials"
        return ChatError(reason, f"Gemini answered {error.code}: {error.message or error.status}")
    if isinstance(error, DefaultCredentialsError | RefreshError):
        return ChatError("credentials", f"Vertex AI: {error}")
    if isinstance(error, httpx2.TransportError):
        return ChatError("unreachable", f"Gemini cannot be reached: {type(error).__name__} {error}")
    # Not its words: some repeat the answer, which may be in no log.
    return ChatError("failed", f"Gemini's answer made no sense ({type(error).__name__})")
