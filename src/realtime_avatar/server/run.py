"""Serving until told to stop."""

import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from anyio import CancelScope, Event, create_task_group, open_signal_receiver, to_thread

from realtime_avatar.config import Settings
from realtime_avatar.engines.runtime import give_memory_back
from realtime_avatar.errors import ConfigError
from realtime_avatar.server.app import create_app
from realtime_avatar.server.guard import check_exposure
from realtime_avatar.server.keys import Keys, keys_file
from realtime_avatar.server.service import Service, open_service

_SEND_BUFFER: Final = 128_000  # bytes: a second of video, so that one who is behind is noticed
_MAX_MESSAGE: Final = 100_000  # bytes of a WebSocket message
_PING: Final = 6  # seconds between two looks whether a WebSocket's page is there, and for it
_TRIM: Final = 30  # seconds between two looks for memory that nobody uses
_LINGER: Final = 3  # seconds for requests under way when the server stops


async def run(settings: Settings, started: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; then let every avatar finish its sentence.

    A second signal ends everything at once. Call it in the main thread.

    Args:
        settings: The owner's.
        started: Told the page's address when it can be opened.

    Raises:
        ConfigError: if the port is taken, the certificate is no good, or the server would be
            open to others without the owner's saying so.
        AvatarError: if an engine or a model is missing.
    """
    check_exposure(settings, Keys(keys_file(settings.keys)))
    with listen(settings) as listener:
        async with open_service(settings) as service, create_task_group() as tasks:
            await to_thread.run_sync(service.decoder.start)
            stop = Event()
            tasks.start_soon(_obey, service, stop, tasks.cancel_scope)
            tasks.start_soon(give_memory_back, _TRIM)
            await serve(service, listener, started, stop)
            tasks.cancel_scope.cancel()


async def serve(
    service: Service, listener: socket.socket, started: Callable[[str], None], stop: Event
) -> None:
    """Serve a loaded service on a listening socket.

    Args:
        service: With its engines.
        listener: As of `listen`.
        started: As of `run`.
        stop: Set to stop; calls that are still open are cut off.
    """
    settings = service.settings
    config = uvicorn.Config(
        create_app(service),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=_MAX_MESSAGE,
        ws_ping_interval=_PING,
        ws_ping_timeout=_PING,
        ws_per_message_deflate=False,  # sound and pictures are packed already
        timeout_graceful_shutdown=_LINGER,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
    except OSError as error:  # ssl's errors are OSErrors too
        raise ConfigError(f"the certificate cannot be used: {error}") from error
    server = _Server(config, lambda: started(address(settings, listener)))

    async def end() -> None:
        await stop.wait()
        server.should_exit = True

    async with create_task_group() as tasks:
        tasks.start_soon(end)
        await server.serve([listener])
        tasks.cancel_scope.cancel()


async def _obey(service: Service, stop: Event, scope: CancelScope) -> None:
    """Turn the first signal into a graceful end, the second into an abrupt one."""
    with open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        await anext(signals)
        async with create_task_group() as tasks:

            async def finish() -> None:
                await service.calls.finish(service.settings.finish_seconds)
                stop.set()

            tasks.start_soon(finish)
            await anext(signals)
            scope.cancel()


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        ConfigError: if that is not possible.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        listener.bind((settings.host, settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise ConfigError(f"cannot listen on {where}: {error.strerror or error}") from error
    return listener


def address(settings: Settings, listener: socket.socket) -> str:
    """Return the page's address, as somebody on this machine would type it."""
    host = "localhost" if settings.host in ("0.0.0.0", "::", "127.0.0.1") else settings.host
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"


class _Server(uvicorn.Server):
    """Uvicorn, but it says when it has started, and leaves signals to others."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
