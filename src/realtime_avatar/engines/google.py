"""Google's models, by an API key or through Vertex AI: the connection, and errors in words."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final

import anyio

from realtime_avatar.engines.runtime import step
from realtime_avatar.engines.servers import RemoteOptions, reason_of, trusted
from realtime_avatar.errors import Reason

NO_KEY: Final = (
    "Gemini has no credentials: set GEMINI_API_KEY, or for Vertex AI GOOGLE_CLOUD_PROJECT"
)
_KEYS: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
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


class GoogleOptions(RemoteOptions):
    """Settings that all engines at Google have.

    Attributes:
        api_key: By default GEMINI_API_KEY or GOOGLE_API_KEY of the environment.
        project: Of Google Cloud: use Vertex AI, with application-default credentials. By
            default GOOGLE_CLOUD_PROJECT, if there is no key.
        location: Of Vertex AI; by default GOOGLE_CLOUD_LOCATION, or else "global".
        base_url: Of a gateway instead of Google.
    """

    project: str = ""
    location: str = ""
    base_url: str = ""


class Unanswered(Exception):
    """A model did not answer, or stopped before the end.

    Args:
        reason: The kind of failure.
        words: What happened.
    """

    def __init__(self, reason: Reason, words: str) -> None:
        super().__init__(words)
        self.reason: Reason = reason


class Google:
    """Google's client, imported: that takes a second or two.

    Args:
        options: Who asks, and whom.
    """

    def __init__(self, options: GoogleOptions) -> None:
        import httpx2
        from google import genai

        self._options, self._genai, self._httpx2 = options, genai, httpx2
        trusted()

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator["Connection"]:
        """Open connections of one session. Missing credentials are told later."""
        async with self._httpx2.AsyncClient(verify=trusted(), timeout=None) as http:
            connection = Connection(await step(partial(self._client, http)))
            http.event_hooks = {"response": [connection.note]}
            yield connection

    def _client(self, http: Any) -> Any:
        """Make a client, 50 ms of work; None if nobody said who we are."""
        options, types = self._options, self._genai.types
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


class Connection:
    """One session's connections.

    Args:
        client: None without credentials.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._response: Any = None

    @property
    def known(self) -> bool:
        """Whether somebody said who asks."""
        return bool(self._client)

    async def note(self, response: Any) -> None:
        """Remember the HTTP response: the client's stream, closed early, leaves it open."""
        self._response = response

    async def parts(self, request: Mapping[str, Any]) -> AsyncGenerator[Any]:
        """Yield the parts of an answer's content as they come.

        Args:
            request: To `generate_content_stream`.

        Raises:
            Unanswered: if the model must not answer, or its answer breaks off.
        """
        finish = ""
        try:
            async for chunk in await self._client.aio.models.generate_content_stream(**request):
                if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
                    reason = chunk.prompt_feedback.block_reason.value
                    raise Unanswered("blocked", f"Gemini refused the question ({reason})")
                for candidate in (chunk.candidates or ())[:1]:
                    for part in (candidate.content and candidate.content.parts) or ():
                        yield part
                    if candidate.finish_reason:
                        finish = candidate.finish_reason.value
        finally:
            with anyio.CancelScope(shield=True), suppress(Exception):
                if self._response is not None:
                    await self._response.aclose()
        if not finish:
            raise Unanswered("unreachable", "Gemini's answer broke off")
        if finish in _BROKEN:
            raise Unanswered("failed", f"Gemini could not finish its answer ({finish})")
        if finish not in _WHOLE:
            raise Unanswered("blocked", f"Gemini held back its answer ({finish})")


def lost() -> tuple[type[Exception], ...]:
    """Return the errors of a connection."""
    import httpx2

    return (httpx2.TransportError,)


def explain(error: Exception) -> tuple[Reason, str]:
    """Return what kind of failure an error of `Connection` or its client is, and the words."""
    from google.auth.exceptions import DefaultCredentialsError, RefreshError
    from google.genai.errors import APIError

    if isinstance(error, Unanswered):
        return error.reason, str(error)
    if isinstance(error, TimeoutError):
        return "slow", str(error)
    if isinstance(error, APIError):
        reason = reason_of(error.code or 500)
        if "API_KEY_INVALID" in str(error.details):  # told as a mere bad request
            reason = "credentials"
        return reason, f"Gemini answered {error.code}: {error.message or error.status}"
    if isinstance(error, DefaultCredentialsError | RefreshError):
        return "credentials", f"Vertex AI: {error}"
    if isinstance(error, lost()):
        return "unreachable", f"Gemini cannot be reached: {type(error).__name__} {error}"
    # Not its words: some repeat the answer, which may be in no log.
    return "failed", f"Gemini's answer made no sense ({type(error).__name__})"
