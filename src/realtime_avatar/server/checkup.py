"""What may keep people from talking to the avatar, in words."""

import socket
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Literal

from anyio import to_thread

from realtime_avatar.config import IceServer, Settings
from realtime_avatar.engines.registry import KINDS, Kind, engine_class
from realtime_avatar.errors import ConfigError, ModelMissing
from realtime_avatar.models.store import ModelStore
from realtime_avatar.server.guard import check_exposure, is_public, needs_keys
from realtime_avatar.server.keys import Keys, keys_file
from realtime_avatar.server.run import listen
from realtime_avatar.server.stun import ask

_LOCAL: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: Of what.
        state: "bad" keeps people from talking; "poor" keeps some of them.
        words: What was found, and what to do.
    """

    what: str
    state: Literal["good", "poor", "bad"]
    words: str


async def examine(settings: Settings) -> AsyncGenerator[Finding]:
    """Look at everything that a conversation needs, one thing after another."""
    store = ModelStore(settings.models, offline=settings.offline)
    for finding in await to_thread.run_sync(_engines, settings, store):
        yield finding
    yield _port(settings)
    yield _keys(settings)
    yield _origin(settings)
    yield _udp()
    if not settings.ice_servers:
        yield Finding(
            "STUN and TURN",
            "good" if settings.host in _LOCAL else "poor",
            "none is set (ice_servers): people in other networks talk over a WebSocket instead,"
            " which answers a little later",
        )
    for server in settings.ice_servers:
        for url in server.urls:
            yield await _ice(url, server)


def _engines(settings: Settings, store: ModelStore) -> list[Finding]:
    """Look whether the engines that the settings name are here, with their models."""
    found = [
        _engine(kind, name, store)
        for kind in KINDS
        if kind != "voice"
        for name in settings.chosen(kind)
    ]
    names = sorted({settings.voice_for(language)[0] for language in settings.possible})
    voices = [_engine("voice", name, store) for name in names]
    if any(voice.state == "good" for voice in voices):
        left_out = "; until then its languages are left out"
        voices = [
            voice if voice.state == "good" else Finding(voice.what, "poor", voice.words + left_out)
            for voice in voices
        ]
    return found + voices


def _engine(kind: Kind, name: str, store: ModelStore) -> Finding:
    what = f"{kind} {name!r}"
    try:
        for model in engine_class(kind, name).models:
            store.path(model)
    except (ConfigError, ModelMissing) as error:
        return Finding(what, "bad", str(error))
    return Finding(what, "good", "installed, and its models are here")


def _port(settings: Settings) -> Finding:
    what = f"port {settings.port}"
    try:
        listen(settings).close()
    except ConfigError as error:
        return Finding(
            what, "bad", f"{error}; if that is not the avatar itself, choose another with --port"
        )
    return Finding(what, "good", f"free on {settings.host}")


def _keys(settings: Settings) -> Finding:
    """Look whether the server would start, and who gets in."""
    what, keys = "access", Keys(keys_file(settings.keys))
    try:
        check_exposure(settings, keys)
    except ConfigError as error:
        return Finding(what, "bad", str(error))
    if needs_keys(settings):
        return Finding(what, "good", f"with one of {len(keys.valid())} API keys")
    if is_public(settings):
        words = "anybody who reaches this machine gets in (require_keys = false)"
        return Finding(what, "poor", words)
    return Finding(what, "good", "from this machine only")


def _origin(settings: Settings) -> Finding:
    what = "microphone"
    if settings.tls_cert:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                settings.tls_cert, settings.tls_key
            )
        except OSError as error:  # ssl's errors are OSErrors too
            return Finding(what, "bad", f"the certificate {settings.tls_cert} is no good: {error}")
        return Finding(what, "good", "browsers allow it: the page is served over https")
    if settings.host in _LOCAL:
        return Finding(
            what, "good", "browsers allow it on this machine (http://localhost), and only here"
        )
    return Finding(
        what,
        "poor",
        "browsers on other machines refuse it over http: set tls_cert and tls_key, or put a"
        " proxy with https before the server; typing works without",
    )


def _udp() -> Finding:
    """Look whether this machine lets a process send itself a datagram."""
    what = "UDP"
    try:
        with (
            socket.socket(type=socket.SOCK_DGRAM) as one,
            socket.socket(type=socket.SOCK_DGRAM) as two,
        ):
            one.bind(("127.0.0.1", 0))
            one.settimeout(1)
            two.sendto(b"?", one.getsockname())
            one.recvfrom(1)
    except OSError as error:
        return Finding(
            what,
            "poor",
            f"blocked on this machine ({error}): WebRTC cannot work, the WebSocket is used instead",
        )
    return Finding(what, "good", "open on this machine")


async def _ice(url: str, server: IceServer) -> Finding:
    """Ask a STUN or TURN server for an address."""
    try:
        wrong = await ask(url, server)
    except ValueError as error:
        return Finding(url, "bad", f"this is no address of a STUN or TURN server: {error}")
    return Finding(url, "bad", wrong) if wrong else Finding(url, "good", "it answers")
