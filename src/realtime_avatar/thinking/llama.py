"""Chats on llama.cpp, in this process, through xllamacpp."""

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from importlib import import_module
from secrets import token_urlsafe
from threading import Thread
from typing import Any, ClassVar

from anyio import CancelScope, create_memory_object_stream, from_thread, to_thread
from anyio.lowlevel import current_token

from realtime_avatar.engines.openmp import ensure_libgomp
from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context

# Sets OMP_WAIT_POLICY, which OpenMP reads once, when it is loaded: before xllamacpp.
from realtime_avatar.engines.runtime import step
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import ConfigError, EngineError
from realtime_avatar.thinking.local_model import ModelOptions, Usage, full, gguf_file
from realtime_avatar.thinking.question import check_question
from realtime_avatar.thinking.read_prompts import ReadPrompts, prompts_folder
from realtime_avatar.thinking.spoken import GRAMMAR, ends_sentence
from realtime_avatar.thinking.window import Window

_EVENTS = 8  # bound of the channel between llama.cpp's thread and the reply
_BATCH = 32  # tokens read between two chances to cancel: 0.5 s on two slow cores
_REUSE = 16  # shortest run of tokens worth moving in the cache when history was cut


class Options(ModelOptions):
    """Settings of the engine, with those of every local model.

    Attributes:
        pin: Whether each of its threads keeps to a core of its own, where it has most of the
            cores. They wait for each other hundreds of times a token, and Linux then likes to
            put two of them on one core.
    """

    pin: bool = True


class Llama:
    """Any instruct model in GGUF format, on the CPU."""

    models: ClassVar[tuple[str, ...]] = ("qwen2.5-coder-1.5b",)

    def __init__(self, context: Context) -> None:
        self.options = options = context.parse(Options)
        path = gguf_file(options.model, context.store)
        ensure_libgomp()
        xllamacpp: Any = import_module("xllamacpp")  # it has no types
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = options.context * options.slots
        params.n_parallel = options.slots
        params.n_batch = _BATCH
        # llama.cpp's cache of prompts outside the slots gives one session's words to another
        # (ggml-org/llama.cpp issue 27148).
        params.cache_ram_mib, params.cache_idle_slots = 0, False
        for threads in (params.cpuparams, params.cpuparams_batch):
            threads.n_threads = context.threads
            if options.pin and hasattr(os, "sched_getaffinity"):  # Linux only
                pin_threads(threads, os.sched_getaffinity(0))
        # Its weights are rearranged for the CPU while they are loaded; mapping the file as
        # well would hold most of them twice.
        params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
        params.enable_reasoning = 0  # thinking aloud is silence to the listener
        params.verbosity = -1
        # llama.cpp always listens on a port. Nobody is told which, nor the key.
        params.hostnames, params.port = ["127.0.0.1"], 0
        key = token_urlsafe(32)
        params.api_keys = [key]
        params.ui = params.endpoint_slots = False
        params.endpoint_metrics = True
        params.n_threads_http = 1
        params.warmup = False  # the first system message, read or restored, is followed by more
        if folder := prompts_folder():
            params.slot_save_path = f"{folder}{os.sep}"
        try:
            self._server: Any = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ConfigError(f"llama.cpp cannot load {path}: {error}") from error
        # Closed before its loop has begun, the server would never end: let the loop answer.
        self._server.handle_metrics()
        address = self._server.listening_address
        self._prompts = ReadPrompts(folder, path, xllamacpp.__version__, address, key)
        self._free = list(range(options.slots))

    def close(self) -> None:
        """Free the weights and the port. A reply that still runs ends with its next word."""
        self._server = None

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["LlamaChat"]:
        """Open a session; it returns when `system`, if given, has been read.

        Args:
            system: The system message that the first request will start with.
            tools: Not used: so small a model calls them badly.

        Raises:
            CapacityError: if there are as many sessions as slots.
        """
        if not self._free:
            raise full(self.options.slots)
        slot = self._free.pop(0)
        try:
            chat = LlamaChat(self, slot)
            if system:
                await chat.warm(system)
            yield chat
        finally:
            self._free.append(slot)

    async def restore(self, slot: int, system: str) -> bool:
        """Put a system message into a slot if it was read once; return whether it was."""
        return await step(partial(self._prompts.restore, slot, system))

    async def keep(self, slot: int, system: str) -> None:
        """Keep a slot that has just read a system message, for later sessions and starts."""
        await step(partial(self._prompts.keep, slot, system))

    async def stream(
        self, messages: list[dict[str, str]], slot: int, max_tokens: int, *, reuse: bool
    ) -> AsyncGenerator[dict[str, Any]]:
        """Generate; yield llama.cpp's events (OpenAI's chunks, timings, progress, error).

        The reply is generated in a thread of its own. When this generator is closed, the
        thread is told at its next event (a token, or `_BATCH` tokens read) and waited for.

        Args:
            messages: In OpenAI's form.
            slot: Whose cache to use.
            max_tokens: Of the reply.
                0: only read the messages, the last of which may be unfinished.
            reuse: Whether what comes after a cut in the messages may be moved in the cache
                instead of read again. It remembers what was cut, so the slot must hold
                words of this session only.
        """
        if (server := self._server) is None:
            raise EngineError("chat", "the engine has been closed")
        send, receive = create_memory_object_stream[dict[str, Any]](_EVENTS)
        token, failures = current_token(), list[Exception]()
        request = {
            "messages": messages,
            "stream": True,
            "id_slot": slot,
            "max_tokens": max_tokens,
            "add_generation_prompt": max_tokens > 0,
            "temperature": self.options.temperature,
            "grammar": GRAMMAR,
            "cache_prompt": True,
            "n_cache_reuse": _REUSE if reuse else 0,
            "return_progress": True,
            "timings_per_token": True,
        }

        def on_event(event: dict[str, Any]) -> bool:
            try:
                from_thread.run(send.send, event, token=token)
            except BaseException:  # the reply was closed, or the loop; C++ cannot pass it on
                return True
            return self._server is None

        def generate() -> None:
            try:
                server.handle_chat_completions(request, on_event)
            except Exception as error:
                failures.append(error)
            finally:
                with suppress(RuntimeError):  # the loop has gone, and the reply with it
                    from_thread.run_sync(send.close, token=token)

        thread = Thread(target=generate, name="llama")
        thread.start()
        try:
            async for event in receive:
                yield event
        finally:
            receive.close()
            with CancelScope(shield=True):
                await to_thread.run_sync(thread.join)
            send.close()
        if failures:
            raise EngineError("chat", str(failures[0])) from failures[0]


class LlamaChat:
    """One session.

    Attributes:
        usage: What the last reply took; None before the first.
    """

    def __init__(self, engine: Llama, slot: int) -> None:
        self._engine, self._slot = engine, slot
        options = engine.options
        self._window = Window(options.context - options.max_tokens)
        self._mine = False  # whether the slot's cache holds this session's words
        self.usage: Usage | None = None

    async def warm(self, system: str) -> None:
        """Read the system message before somebody waits for it, or restore it if it was once."""
        if await self._engine.restore(self._slot, system):
            self._mine = True
            return
        message = [{"role": "system", "content": system}]
        stream = self._engine.stream(message, self._slot, 1, reuse=False)
        async with aclosing(stream) as events:
            async for _ in events:
                self._mine = True
        await self._engine.keep(self._slot, system)

    async def read_ahead(self, messages: Sequence[Message]) -> None:
        """Put the messages into the slot's cache; see `ReadsAhead`."""
        view = self._window.view(messages)
        stream = self._engine.stream(view, self._slot, 0, reuse=self._mine)
        async with aclosing(stream) as events:
            async for event in events:
                self._mine = True
                if _prompt_tokens(event) > self._window.room:
                    return  # `reply` will see less
                _piece(event)

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Yield the answer to the last message, a token or so at a time.

        Raises:
            InputError: if the message is empty or too long, or
                does not fit into the context.
            EngineError: if llama.cpp fails.
        """
        check_question(messages)
        options, prompt_tokens, said = self._engine.options, 0, ""
        self.usage = None
        while True:
            view = self._window.view(messages)
            stream = self._engine.stream(view, self._slot, options.max_tokens, reuse=self._mine)
            try:
                async with aclosing(stream) as events:
                    async for event in events:
                        self._mine = True
                        prompt_tokens = _prompt_tokens(event) or prompt_tokens
                        if prompt_tokens > self._window.room:
                            break
                        self.usage = _usage(event) or self.usage
                        if piece := _piece(event):
                            said += piece
                            yield piece
                            written = self.usage.written if self.usage else 0
                            if written > options.max_tokens * 3 // 4 and ends_sentence(said):
                                break
            finally:
                self._window.add(said)
            if prompt_tokens <= self._window.room:
                return
            self._window.shrink(messages, prompt_tokens)


def pin_threads(threads: Any, cores: set[int]) -> None:
    """Give each of these threads one of the cores, the last ones, if that takes most of them.

    Where there are many more, other programs may have had the same thought, and none needs it.
    """
    count, mask = threads.n_threads, threads.cpumask
    chosen = sorted(cores)[-count:]
    if count <= len(cores) < 2 * count and chosen[-1] < len(mask):
        threads.cpumask = [core in chosen for core in range(len(mask))]
        threads.mask_valid = threads.strict_cpu = True


def _prompt_tokens(event: dict[str, Any]) -> int:
    """Return the length of the prompt, which is told before it is read."""
    told = event.get("error") or event.get("prompt_progress") or {}
    return told.get("n_prompt_tokens") or told.get("total") or 0


def _usage(event: dict[str, Any]) -> Usage | None:
    told = event.get("timings")
    return told and Usage(
        cached=told["cache_n"],
        read=told["prompt_n"],
        written=told["predicted_n"],
        read_ms=told["prompt_ms"],
        write_ms=told["predicted_ms"],
    )


def _piece(event: dict[str, Any]) -> str:
    if error := event.get("error"):
        raise EngineError("chat", error["message"])
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])
