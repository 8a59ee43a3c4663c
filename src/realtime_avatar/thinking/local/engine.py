"""Chats on a model that this processor's cores compute by kernels of our own."""

from codecs import getincrementaldecoder
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import ClassVar, Final, TypeVar, cast

import numpy as np
from anyio import Lock, current_time

from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import step
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import ConfigError, EngineError
from realtime_avatar.processor import computes_chats
from realtime_avatar.thinking.local.draft import draft_file
from realtime_avatar.thinking.local.gguf import Gguf
from realtime_avatar.thinking.local.kept import KeptPrompts
from realtime_avatar.thinking.local.manner import Manner, Reply
from realtime_avatar.thinking.local.memory import Memory
from realtime_avatar.thinking.local.model import Likely, Model
from realtime_avatar.thinking.local.vocabulary import Vocabulary
from realtime_avatar.thinking.local_model import ModelOptions, Usage, full, gguf_file
from realtime_avatar.thinking.question import check_question
from realtime_avatar.thinking.read_prompts import prompts_folder
from realtime_avatar.thinking.spoken import ends_sentence
from realtime_avatar.thinking.window import Window

_READ: Final = 16  # tokens read between two chances to cancel: 0.2 s on two slow cores
_THREADS: Final = 8  # more only wait for memory

T = TypeVar("T")


class Options(ModelOptions):
    """Settings of the engine, with those of every local model.

    Attributes:
        guess: Whether a small head guesses what the model says next, where there is one for it.
    """

    guess: bool = True


class Local:
    """Instruct models of Llama's and Qwen2's architecture in GGUF format, on the CPU."""

    models: ClassVar[tuple[str, ...]] = ("qwen2.5-coder-1.5b",)

    def __init__(self, context: Context) -> None:
        if not computes_chats():
            raise ConfigError('this processor cannot run the chat "local"; set chat = "llama"')
        self.options = options = context.parse(Options)
        path = gguf_file(options.model, context.store)
        try:
            file = Gguf(path)
            self.vocabulary = vocabulary = Vocabulary(file)
            threads = min(context.threads, _THREADS)
            with ThreadPoolExecutor(1) as aside:
                manner = aside.submit(Manner, vocabulary)
                draft = draft_file(file) if options.guess else None
                self._model = Model(
                    file, options.context, threads, vocabulary.spoken, draft and Gguf(draft)
                )
                self.manner = manner.result()
            # Machine code is made the first time, for 15 s: not while somebody waits for an answer.
            memory = self._model.memory()
            self._model.read(memory, [vocabulary.end])
            self._model.read_on(memory, vocabulary.end)
        except (ValueError, OSError) as error:
            raise ConfigError(f"the model {path} cannot be loaded: {error}") from error
        self.prompts = KeptPrompts(prompts_folder(), path)
        self._turn = Lock()
        self._open, self._closed = 0, False

    def close(self) -> None:
        """Free the weights. A reply that still runs ends with its next word."""
        if not self._closed:
            self._closed = True
            self._model.close()
            del self._model

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["LocalChat"]:
        """Open a session; it returns when `system`, if given, has been read.

        Args:
            system: The system message that the first request will start with.
            tools: Not used: so small a model calls them badly.

        Raises:
            CapacityError: if there are as many sessions as slots.
        """
        if self._open >= self.options.slots:
            raise full(self.options.slots)
        self._open += 1
        try:
            chat = LocalChat(self)
            if system:
                await chat.warm(system)
            yield chat
        finally:
            self._open -= 1

    def memory(self) -> Memory:
        """Return a session's memory."""
        return self._loaded().memory()

    def rest(self) -> None:
        """Give back what sessions share of memory for the time of a reply."""
        if not self._closed:
            self._model.rest()

    async def read(self, memory: Memory, tokens: Sequence[int]) -> Likely:
        """Read at most a few tokens; sessions take turns. Return what may follow."""
        (likely,) = await self._compute(lambda model: model.read(memory, tokens))
        return likely

    async def read_on(self, memory: Memory, token: int) -> tuple[list[int], list[Likely]]:
        """Read a token, and guesses of what follows it; see `Model.read_on`."""
        return await self._compute(lambda model: model.read_on(memory, token))

    async def _compute(self, work: Callable[[Model], T]) -> T:
        async with self._turn:
            return await step(partial(work, self._loaded()))

    def _loaded(self) -> Model:
        if self._closed:
            raise EngineError("chat", "the engine has been closed")
        return self._model


class LocalChat:
    """One session.

    Attributes:
        usage: What the last reply took; None before the first.
    """

    def __init__(self, engine: Local) -> None:
        self._engine, self._memory = engine, engine.memory()
        options = engine.options
        self._window = Window(options.context - options.max_tokens)
        self._random = np.random.default_rng()
        self.usage: Usage | None = None

    async def warm(self, system: str) -> None:
        """Read the system message before somebody waits for it, or restore it if it was once."""
        messages = [{"role": "system", "content": system}, {"role": "user", "content": ""}]
        tokens = self._engine.vocabulary.of(messages, answered=False)
        if len(tokens) > self._window.room:
            return  # the first request says so
        prompts = self._engine.prompts
        if not await step(partial(prompts.restore, self._memory, tokens)):
            await self._read(tokens)
            await step(partial(prompts.keep, self._memory))

    async def read_ahead(self, messages: Sequence[Message]) -> None:
        """Read the messages, as far as they fit; see `ReadsAhead`."""
        tokens = self._engine.vocabulary.of(self._window.view(messages), answered=False)
        if len(tokens) <= self._window.room:  # otherwise `reply` will see less
            await self._read(tokens[self._memory.keep(tokens) :])

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Yield the answer to the last message, a token or so at a time.

        Raises:
            InputError: if the message is empty or too long, or
                does not fit into the context.
            EngineError: if the engine has been closed.
        """
        check_question(messages)
        engine, options, start = self._engine, self._engine.options, current_time()
        self.usage = None
        while True:
            tokens = engine.vocabulary.of(self._window.view(messages), answered=True)
            if len(tokens) <= self._window.room:
                break
            self._window.shrink(messages, len(tokens))
        known = self._memory.keep(tokens[:-1])
        likely = cast("Likely", await self._read(tokens[known:]))  # at least one is unknown
        read, begun = len(tokens) - known, current_time()
        said, written = "", 0
        decoder = getincrementaldecoder("utf-8")(errors="ignore")
        try:
            async with aclosing(self._words(likely)) as tokens_said:
                async for token in tokens_said:
                    written += 1
                    now = current_time()
                    times = (begun - start) * 1000, (now - begun) * 1000
                    self.usage = Usage(known, read, written, *times)
                    if piece := decoder.decode(engine.vocabulary.text([token])):
                        said += piece
                        yield piece
                    if written > options.max_tokens * 3 // 4 and ends_sentence(said):
                        break
        finally:
            self._window.add(said)
            engine.rest()

    async def _words(self, likely: Likely) -> AsyncGenerator[int]:
        """Yield the tokens of a reply, after what may come first."""
        engine, memory, options = self._engine, self._memory, self._engine.options
        reply, end = engine.manner.reply(), engine.vocabulary.end
        guesses, rows = list[int](), [likely]
        for _ in range(options.max_tokens):
            read = len(memory.tokens) - len(guesses)
            token = self._choose(rows.pop(0), reply)
            if token == end:
                break
            reply.add(token)
            yield token
            if reply.ended:
                break
            if guesses and guesses.pop(0) == token:
                continue
            # What was guessed after it, if anything, is wrong.
            del memory.tokens[read:]
            memory.forget(read)
            guesses, rows = await engine.read_on(memory, token)

    async def _read(self, tokens: Sequence[int]) -> Likely | None:
        likely = None
        for start in range(0, len(tokens), _READ):
            likely = await self._engine.read(self._memory, tokens[start : start + _READ])
        return likely

    def _choose(self, likely: Likely, reply: Reply) -> int:
        """Return the next token: one that may follow, the likelier the more often."""
        temperature = self._engine.options.temperature
        tokens, scores = likely.tokens, likely.scores
        if temperature:
            # Who comes first is drawn once, with Gumbel's noise; who may not follow is left out.
            noise = -np.log(-np.log(self._random.uniform(1e-12, 1, len(scores))))
            order = np.argsort(-(scores / temperature + noise))
            tokens = tokens[order]
        for token in tokens:
            if reply.allows(int(token)):
                return int(token)
        allowed = reply.allowed()[likely.others]
        return int(likely.others[np.argmax(np.where(allowed, likely.rough, -np.inf))])
