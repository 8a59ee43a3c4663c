"""All that one server shares between its conversations."""

import gc
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from anyio import create_task_group, to_thread
from anyio.abc import TaskGroup

from realtime_avatar.config import IceServer, Settings
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.session import open_session
from realtime_avatar.engines.ports import BoundedFaceEngine
from realtime_avatar.engines.registry import KINDS
from realtime_avatar.errors import ConsentError, InputError, ModelMissing
from realtime_avatar.identity.consent import SPOKEN, WORDING
from realtime_avatar.identity.journal import Journal
from realtime_avatar.identity.store import Store, open_store
from realtime_avatar.server.admission import Admission
from realtime_avatar.server.avatars import Avatar, Avatars
from realtime_avatar.server.calls import Calls, OpenSession
from realtime_avatar.server.decoding import Decoder
from realtime_avatar.server.enrolments import Enrolments
from realtime_avatar.server.films import Films, films_folder
from realtime_avatar.telemetry.metrics import Metrics

_LANGUAGES: Final = {
    "de": "Deutsch", "en": "English", "es": "Español", "fr": "Français", "hi": "हिन्दी",
    "it": "Italiano", "ja": "日本語", "ko": "한국어", "pt": "Português", "zh": "中文",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes work with; made by `open_service`.

    Attributes:
        settings: The owner's.
        ensemble: The engines, loaded.
        avatars: Those that people may talk to.
        calls: The conversations.
        metrics: Their figures.
        journal: Keeps conversations; None if none are kept.
        tasks: What calls over WebRTC live in.
        decoder: Reads what people send.
        films: Those that were made for programs.
        admission: Of programs' requests.
        enrolments: The voices that people bring.
    """

    settings: Settings
    ensemble: Ensemble
    avatars: Avatars
    calls: Calls
    metrics: Metrics
    journal: Journal | None
    tasks: TaskGroup
    decoder: Decoder
    films: Films
    admission: Admission
    enrolments: Enrolments
    _voices: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def options(self) -> dict[str, Any]:
        """Return what the page lets a person choose."""
        from realtime_avatar import __version__

        settings = self.settings
        return {
            "name": settings.name,
            "languages": [
                {"code": code, "name": _LANGUAGES.get(code, code)} for code in settings.possible
            ],
            "avatars": [describe(avatar) for avatar in self.avatars.own],
            "voices": await self.voices(),
            "consent": {**WORDING, "spoken": SPOKEN},
            "ice_servers": [_for_browser(server) for server in settings.ice_servers],
            "keeps_conversations": self.journal is not None,
            "version": __version__,
        }

    async def voices(self) -> list[dict[str, Any]]:
        """Return the voices that a person can choose: stock ones, then people's."""
        return [*await self._stock(), *await self._people()]

    async def _people(self) -> list[dict[str, Any]]:
        """Return the enrolled voices as the page knows voices."""
        found: list[dict[str, Any]] = []
        for name in await to_thread.run_sync(self.ensemble.people.names):
            with suppress(InputError, ConsentError, ModelMissing):
                engine, _ = await self.ensemble.voice(self.settings.possible[0], name)
                found.append({"id": name, "name": name, "languages": engine.languages})
        return found

    async def _stock(self) -> list[dict[str, Any]]:
        if not self._voices:
            found: dict[str, dict[str, Any]] = {}
            for language in self.settings.possible:
                name, _ = self.settings.voice_for(language)
                engine, _ = await self.ensemble.voice(language)
                for speaker in engine.speakers:
                    key = f"{name}:{speaker}"
                    found[key] = {"id": key, "name": speaker, "languages": engine.languages}
            self._voices[:] = found.values()
        return self._voices


@asynccontextmanager
async def open_service(
    settings: Settings, open_session: OpenSession = open_session
) -> AsyncGenerator[Service]:
    """Load every engine, enrol the owner's portrait, and be ready for calls.

    At the end, each avatar finishes its sentence, for at most `finish_seconds`.

    Args:
        settings: The owner's.
        open_session: Makes a session; to be replaced in tests.

    Raises:
        AvatarError: if an engine or a model is missing, the portrait cannot be used, or the
            database cannot be opened.
    """
    log = structlog.stdlib.get_logger("realtime_avatar")
    async with AsyncExitStack() as stack:
        decoder = Decoder()
        stack.callback(decoder.close)
        films = Films(stack.enter_context(films_folder()))
        store = await _open_store(settings, stack)
        ensemble = await stack.enter_async_context(Ensemble(settings))
        await ensemble.load(KINDS)
        settings = ensemble.settings = await _speakable(ensemble)
        await ensemble.chat()  # what it compiles would stop every clock for half a second later
        face = await ensemble.face()
        if isinstance(face, BoundedFaceEngine) and face.capacity < settings.max_sessions:
            log.warning("the device shows fewer faces than max_sessions", places=face.capacity)
            settings = settings.model_copy(update={"max_sessions": face.capacity})
            ensemble.settings = settings
        avatars = Avatars(ensemble, decoder)
        await avatars.load()
        metrics = Metrics()
        limiter = to_thread.current_default_thread_limiter()
        metrics.watch_queue("threads_busy", lambda: int(limiter.borrowed_tokens))
        metrics.watch_queue("threads_waiting", lambda: limiter.statistics().tasks_waiting)
        calls = Calls(ensemble, metrics, open_session)
        admission = Admission(settings.jobs, settings.jobs_waiting, lambda: calls.talking)
        metrics.watch_queue("jobs_running", lambda: admission.running)
        metrics.watch_queue("jobs_waiting", lambda: admission.waiting)
        days, count = settings.keep_days, settings.keep_conversations
        journal = Journal(store, days=days, count=count) if store else None
        gc.collect()
        gc.freeze()
        async with create_task_group() as tasks:
            log.info("ready", places=settings.max_sessions)
            if journal is not None:
                metrics.watch_queue("journal", lambda: journal.waiting)
                tasks.start_soon(journal.run)
            enrolments = Enrolments(ensemble, decoder, calls, tasks)
            try:
                yield Service(
                    settings, ensemble, avatars, calls, metrics, journal, tasks, decoder, films,
                    admission, enrolments,
                )  # fmt: skip
            finally:
                enrolments.stop()
                await calls.finish(settings.finish_seconds)
                if journal is not None:
                    await journal.close()
                    tasks.cancel_scope.cancel()
                gc.unfreeze()


async def _open_store(settings: Settings, stack: AsyncExitStack) -> Store | None:
    if settings.database == "none":
        return None
    return await stack.enter_async_context(open_store(settings.database))


async def _speakable(ensemble: Ensemble) -> Settings:
    """Load the voices; return the settings without the languages whose voice is not here.

    Raises:
        ModelMissing: if none is left.
    """
    settings, spoken = ensemble.settings, list[str]()
    for language in settings.possible:
        try:
            await ensemble.warm_voice(language)
            spoken.append(language)
        except ModelMissing as error:
            if language == settings.possible[-1] and not spoken:
                raise
            log = structlog.stdlib.get_logger("realtime_avatar")
            log.warning("language left out", language=language, reason=str(error))
    return settings.model_copy(update={"languages": tuple(spoken)})


def describe(avatar: Avatar) -> dict[str, Any]:
    """Return what the page needs to know of an avatar."""
    return {
        "id": avatar.id,
        "name": avatar.name,
        "picture": f"/api/v1/avatars/{avatar.id}/picture",
        "width": avatar.rig.width,
        "height": avatar.rig.height,
    }


def _for_browser(server: IceServer) -> dict[str, Any]:
    return server.model_dump(mode="json", exclude_none=True)
