"""`avatar bench chat`: what the Gemini engine adds to the client that it is built on.

Both ask the same server, which stands in for Google's, in a process of its own; they take
turns, so that whatever else the machine does hits both alike.
"""

import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from statistics import quantiles
from time import perf_counter
from typing import Any, Final

from anyio import to_thread

from realtime_avatar.bench.bar import Bar
from realtime_avatar.bench.machine import machine
from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.models.store import ModelStore
from realtime_avatar.thinking.apology import Apologetic
from realtime_avatar.thinking.gemini import Gemini, Options
from realtime_avatar.thinking.honesty import Honest
from realtime_avatar.thinking.persona import Persona, system_prompt

_WARM: Final = 5  # replies of each way that do not count
_QUESTION: Final = "What is the capital of France?"


async def bench_chat(replies: int = 200) -> dict[str, Any]:
    """Measure the first token of so many replies, of the bare client and of the engine.

    The engine is bound to honesty and apologies, as a conversation has it.

    Returns:
        `machine`, `replies`; `first_token_ms` by name, each p50 and p95; and `bars`.
    """
    system = system_prompt(Persona(), "en")
    messages = [Message("system", system), Message("user", _QUESTION)]
    times: dict[str, list[float]] = {"client": [], "engine": []}
    with _stand_in() as url:
        context = Context(ModelStore(), options={"api_key": "none", "base_url": url})
        gemini = await to_thread.run_sync(Gemini, context)
        engine = Honest(Apologetic(gemini, "en"), "Ava")
        client = _client(url)
        async with client.aio, engine.open(system=system) as chat:

            def raw() -> AsyncGenerator[str]:
                return _raw(client, system, gemini.options)

            def whole() -> AsyncGenerator[str]:
                return chat.reply(messages)

            for number in range(_WARM + replies):
                for name, ask in (("client", raw), ("engine", whole)):
                    taken = await _first_token(ask)
                    if number >= _WARM:
                        times[name].append(taken)
    spreads = {name: _spread(taken) for name, taken in times.items()}
    added = spreads["engine"]["p50"] - spreads["client"]["p50"]
    bar = Bar("first token, added by the engine, ms, p50", added, most=30)
    return {
        "machine": machine(),
        "replies": replies,
        "first_token_ms": spreads,
        "bars": [asdict(bar) | {"met": bar.met}],
    }


async def _first_token(ask: Callable[[], AsyncGenerator[str]]) -> float:
    """Return the seconds to the first piece; the rest is read, but does not count."""
    start = perf_counter()
    async with aclosing(ask()) as pieces:
        await anext(pieces)
        taken = perf_counter() - start
        async for _ in pieces:
            pass
    return taken


def _client(url: str) -> Any:
    import httpx2
    from google import genai

    # The same transport as the engine's: where aiohttp is installed, say by Ray, it takes that.
    transport = {"transport": httpx2.AsyncHTTPTransport()}
    options = genai.types.HttpOptions(base_url=url, async_client_args=transport)
    return genai.Client(vertexai=False, api_key="none", http_options=options)


async def _raw(client: Any, system: str, options: Options) -> AsyncGenerator[str]:
    """Ask as Google's documentation does."""
    config = {"system_instruction": system, "max_output_tokens": options.max_tokens}
    stream = await client.aio.models.generate_content_stream(
        model=options.model, contents=_QUESTION, config=config
    )
    async for chunk in stream:
        if chunk.text:
            yield chunk.text


def _spread(seconds: list[float]) -> dict[str, float]:
    """Return p50 and p95, ms."""
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {"p50": cuts[49] * 1000, "p95": cuts[94] * 1000}


@contextmanager
def _stand_in() -> Generator[str]:
    """Run the server; give its address."""
    command = [sys.executable, "-m", "realtime_avatar.bench.stand_in"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
