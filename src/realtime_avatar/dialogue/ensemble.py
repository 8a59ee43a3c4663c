"""The engines of one process, loaded when first needed and shared by all sessions."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from anyio import CancelScope, Lock, create_task_group, to_thread

from realtime_avatar.config import OwnAvatar, Settings
from realtime_avatar.dialogue.turn import Engines
from realtime_avatar.engines.ports import (
    Chat,
    ChatEngine,
    DetectorEngine,
    EndpointerEngine,
    Engine,
    Face,
    FaceEngine,
    RecognizerEngine,
    Speaker,
    VoiceEngine,
)
from realtime_avatar.engines.registry import Context, Kind, load
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import AvatarError
from realtime_avatar.identity.voices import Voices
from realtime_avatar.models.store import ModelStore
from realtime_avatar.thinking.apology import Apologetic
from realtime_avatar.thinking.chain import Chain
from realtime_avatar.thinking.grounded import Cited, Grounded
from realtime_avatar.thinking.honesty import Honest
from realtime_avatar.thinking.knowledge import Knowledge
from realtime_avatar.thinking.persona import Persona, read_persona
from realtime_avatar.thinking.tools import Tools

FPS = 25

Load = Callable[[Kind, str, Context], Any]
"""Like `engines.registry.load`."""


class Ensemble:
    """Loads engines by the settings; closes them when left.

    Args:
        settings: Which engines, and their options.
        store: Where the weights are; by default as the settings say.

    Attributes:
        settings: The same, with the name that the persona has.
        persona: Who the avatar is.
        personas: Who the others of the settings are, by their ids.
        knowledge: Its documents.

    Raises:
        ConfigError: if a persona's file is no good.
    """

    def __init__(self, settings: Settings, store: ModelStore | None = None) -> None:
        self.persona = Persona(name=settings.name)
        if settings.persona:
            self.persona = read_persona(settings.persona, settings.name)
            settings = settings.model_copy(update={"name": self.persona.name})
        self.personas = {key: self._persona(own) for key, own in settings.avatars.items()}
        self.settings = settings
        self.store = store or ModelStore(settings.models, offline=settings.offline)
        self.people = Voices(settings.people)
        """The voices of people that were enrolled."""
        self._seen: set[str] = set()
        self._loaded: dict[tuple[Kind, str], Engine] = {}
        self._locks: dict[tuple[Kind, str], Lock] = {}
        self._elsewhere: Load | None = None
        self._joining = Lock()
        self._tools = Tools(settings)
        self._rests: dict[str, float] = {}  # of the chain's engines, until when
        self.knowledge = Knowledge(settings.knowledge_file)

    def _persona(self, own: OwnAvatar) -> Persona:
        if own.persona:
            return read_persona(own.persona, own.name or self.persona.name)
        return Persona(name=own.name) if own.name else self.persona

    async def __aenter__(self) -> Self:
        await self._tools.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._tools.__aexit__(None, None, None)
        finally:
            with CancelScope(shield=True):
                while self._loaded:
                    _, engine = self._loaded.popitem()
                    await to_thread.run_sync(engine.close)

    async def detector(self) -> DetectorEngine:
        return await self._get("detector", self.settings.detector)

    async def recognizer(self) -> RecognizerEngine:
        return await self._get("recognizer", self.settings.recognizer)

    async def endpointer(self) -> EndpointerEngine:
        return await self._get("endpointer", self.settings.endpointer)

    async def chat(
        self,
        language: str = "",
        told: Callable[[AvatarError], None] | None = None,
        cited: Cited | None = None,
        *,
        persona: Persona | None = None,
        aloud: bool = True,
    ) -> ChatEngine:
        """Return the chat engine, bound to the truth about what it is.

        Args:
            language: In which it says that it has no answer; the favourite by default.
            told: Is told of each failure that another engine of the chain made good, and of
                documents that cannot be searched.
            cited: Is told what was looked up for each reply.
            persona: Who it is; by default as the settings say.
            aloud: Whether it says so, before it fails, because somebody listens.
        """
        engines = {name: await self._get("chat", name) for name in self.settings.chats}
        [engine, *others] = engines.values()
        chat = Chain(engines, told, self._rests) if others else engine
        language = language or self.settings.possible[0]
        if not self.knowledge.empty:
            await to_thread.run_sync(self.knowledge.warm)
        chat = Grounded(chat, self.knowledge, language, told, cited)
        if aloud:
            chat = Apologetic(chat, language)
        return Honest(chat, (persona or self.persona).within(language).name)

    async def toolbox(
        self, language: str, told: Callable[[AvatarError], None] | None = None
    ) -> Toolbox | None:
        """Return what the chat may call, if anything.

        Args:
            language: Of the conversation.
            told: Is told of each server of tools that cannot be reached, unless somebody was.

        Raises:
            ConfigError: if a function that the settings name is not there.
        """
        return await self._tools.toolbox(language, told)

    async def voice(self, language: str, wish: str = "") -> tuple[VoiceEngine, Speaker | None]:
        """Return the engine and the speaker for a language.

        Args:
            language: ISO 639-1.
            wish: "engine", "engine:speaker" or the name of an enrolled voice; taken if that
                engine speaks the language.

        Raises:
            ConfigError: if the settings name none, or the wish is for nothing that is here.
            ConsentError: if an enrolled voice has no record of consent.
        """
        if wish and not await self._withdrawn(wish):
            engine, speaker = await self._resolved(wish)
            if language in engine.languages:
                return engine, speaker
        name, speaker = self.settings.voice_for(language)
        return await self._resolved(f"{name}:{speaker}" if speaker else name)

    async def _withdrawn(self, wish: str) -> bool:
        """Tell whether a wish was for an enrolled voice that has been deleted since.

        A conversation that used it goes on with the settings' voice.
        """
        return wish in self._seen and not await to_thread.run_sync(self.people.has, wish)

    async def _resolved(self, wish: str) -> tuple[VoiceEngine, Speaker | None]:
        """Return what "engine", "engine:speaker" or the name of an enrolled voice means."""
        name, _, speaker = wish.partition(":")
        if speaker or not await to_thread.run_sync(self.people.has, name):
            return await self._get("voice", name), Speaker(speaker) if speaker else None
        self._seen.add(name)
        enrolled = await to_thread.run_sync(self.people.load, name)
        return await self._get("voice", enrolled.engine), enrolled.speaker

    @asynccontextmanager
    async def engines(
        self,
        language: str,
        face: Face,
        chat: Chat | None = None,
        *,
        wish: str = "",
        punctual: bool = False,
    ) -> AsyncGenerator[Engines]:
        """Open a voice, and return all that a turn in this language needs; see `voice`."""
        engine, speaker = await self.voice(language, wish)
        async with engine.open(language=language, speaker=speaker) as voice:
            yield Engines(voice, face, chat, FPS, self.settings.emotion, punctual)

    async def face(self) -> FaceEngine:
        return await self._get("face", self.settings.face)

    async def load(self, kinds: Iterable[Kind], language: str = "") -> None:
        """Load engines side by side, before somebody waits for them.

        Args:
            kinds: Which.
            language: Whose voice; the favourite language by default.
        """
        kinds = tuple(kinds)
        if "chat" in kinds:
            await to_thread.run_sync(self._tools.load)
        try:
            async with create_task_group() as tasks:
                if "chat" in kinds:
                    tasks.start_soon(self._tools.connect)
                for kind in kinds:
                    if kind == "voice":
                        tasks.start_soon(self.warm_voice, language or self.settings.languages[0])
                        continue
                    for name in self.settings.chosen(kind):
                        tasks.start_soon(self._get, kind, name)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def warm_voice(self, language: str, wish: str = "") -> None:
        """Load what a voice reads a language with, and measure it, before somebody waits for it.

        Args:
            language: That will be spoken.
            wish: See `voice`.
        """
        engine, speaker = await self.voice(language, wish)
        async with engine.open(language=language, speaker=speaker):
            pass

    async def _get(self, kind: Kind, name: str) -> Any:
        key = (kind, name)
        async with self._locks.setdefault(key, Lock()):
            if key not in self._loaded:
                options = self.settings.engines.get(name, {})
                context = Context(self.store, self.settings.threads, options, self.settings.device)
                make = await self._loader(kind)
                self._loaded[key] = await to_thread.run_sync(make, kind, name, context)
            return self._loaded[key]

    async def _loader(self, kind: Kind) -> Load:
        """Return what loads engines of a kind: here, or on the cluster."""
        cluster = self.settings.cluster
        if not cluster.enabled or kind not in cluster.kinds:
            return load
        async with self._joining:
            if self._elsewhere is None:
                from realtime_avatar.engines.cluster import Engines as Elsewhere

                self._elsewhere = (await to_thread.run_sync(Elsewhere, cluster)).load
            return self._elsewhere
