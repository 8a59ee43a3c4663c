import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from aioice import stun
from aioice.turn import make_integrity_key
from typer.testing import CliRunner

from live import fake_settings
from realtime_avatar.cli.main import app
from realtime_avatar.config import Settings
from realtime_avatar.server.checkup import Finding, examine

pytestmark = pytest.mark.anyio


async def findings(settings: Settings) -> dict[str, Finding]:
    return {finding.what: finding async for finding in examine(settings)}


KEY = make_integrity_key("me", "here", "secret")


def answer_to(request: stun.Message) -> stun.Message:
    """What a TURN server answers, which is a STUN server as well."""
    answer = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
    if request.message_method == stun.Method.ALLOCATE:
        if not request.check_message_integrity(KEY):
            answer.message_class = stun.Class.ERROR
            answer.attributes["ERROR-CODE"] = (401, "Unauthorized")
            answer.attributes |= {"REALM": "here", "NONCE": b"once"}
            return answer
        answer.attributes["XOR-RELAYED-ADDRESS"] = ("203.0.113.5", 4712)
    answer.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.5", 4711)
    return answer


@asynccontextmanager
async def turn_server() -> AsyncGenerator[int]:
    async with (
        await anyio.create_udp_socket(local_host="127.0.0.1") as line,
        anyio.create_task_group() as tasks,
    ):

        async def serve() -> None:
            async for data, sender in line:
                await line.sendto(b"noise", *sender)
                await line.sendto(bytes(answer_to(stun.parse_message(data))), *sender)

        tasks.start_soon(serve)
        yield line.extra(anyio.abc.SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def test_all_is_well_with_engines_that_need_nothing(tmp_path: Path):
    found = await findings(fake_settings(models=tmp_path, port=0))
    assert {finding.state for finding in found.values()} == {"good"}
    assert set(found) >= {"detector 'fake'", "voice 'fake'", "port 0", "microphone", "UDP"}


async def test_what_is_missing_is_said_with_its_remedy(tmp_path: Path):
    settings = fake_settings(models=tmp_path, chat="llama", face="nonsense")
    found = await findings(settings)
    assert found["chat 'llama'"].state == "bad"
    assert "avatar models pull" in found["chat 'llama'"].words
    assert "installed are" in found["face 'nonsense'"].words


async def test_every_chat_of_a_chain_is_looked_at(tmp_path: Path):
    found = await findings(fake_settings(models=tmp_path, port=0, chat=("gemini", "llama")))
    assert found["chat 'gemini'"].state == "good"
    assert found["chat 'llama'"].state == "bad"


async def test_a_missing_voice_matters_less_if_there_is_another(tmp_path: Path):
    voice = {"en": "fake", "zh": "kokoro", "es": "fake"}
    found = await findings(fake_settings(models=tmp_path, voice=voice))
    assert found["voice 'kokoro'"].state == "poor"
    found = await findings(fake_settings(models=tmp_path, voice=voice, language="zh"))
    assert found["voice 'kokoro'"].state == "bad"


async def test_a_taken_port_is_bad():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = await findings(fake_settings(port=port))
        assert found[f"port {port}"].state == "bad"
        assert "--port" in found[f"port {port}"].words


@pytest.mark.parametrize(
    ("changes", "state", "word"),
    [
        ({"host": "127.0.0.1"}, "good", "localhost"),
        ({"host": "0.0.0.0"}, "poor", "https"),
        ({"host": "0.0.0.0", "tls_cert": "nowhere.pem"}, "bad", "nowhere.pem"),
    ],
)
async def test_the_microphone_needs_a_secure_origin(changes: dict[str, Any], state: str, word: str):
    found = (await findings(fake_settings(port=0, **changes)))["microphone"]
    assert found.state == state
    assert word in found.words


async def test_stun_and_turn_servers_are_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("realtime_avatar.server.stun._WAITS", (0.5, 0.1))
    with socket.socket(type=socket.SOCK_DGRAM) as silent, socket.socket() as tcp:
        silent.bind(("127.0.0.1", 0))
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        async with turn_server() as port:
            here, mute = f"127.0.0.1:{port}", f"stun:127.0.0.1:{silent.getsockname()[1]}"
            by_tcp = f"turn:127.0.0.1:{tcp.getsockname()[1]}?transport=tcp"
            settings = fake_settings(
                ice_servers=[
                    {"urls": [f"stun:{here}", mute, by_tcp, "gopher://x"]},
                    {"urls": [f"turn:{here}"], "username": "me", "credential": "secret"},
                ]
            )
            found = await findings(settings)
            wrong = [
                (await findings(fake_settings(ice_servers=[{"urls": [f"turn:{here}"], **who}])))
                for who in ({}, {"username": "me", "credential": "wrong"})
            ]
    assert found[f"stun:{here}"].state == found[f"turn:{here}"].state == "good"
    assert found[by_tcp].state == "good"
    assert found[mute].state == found["gopher://x"].state == "bad"
    assert "no answer" in found[mute].words
    assert "no address" in found["gopher://x"].words
    assert [finding[f"turn:{here}"].state for finding in wrong] == ["bad", "bad"]
    assert "wants a username" in wrong[0][f"turn:{here}"].words
    assert "refuses the username" in wrong[1][f"turn:{here}"].words


async def test_the_command_says_it_all_and_exits_with_1_if_anything_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path / "nothing"))
    done = await anyio.to_thread.run_sync(CliRunner().invoke, app, ["doctor"])
    assert done.exit_code == 1
    assert "avatar models pull" in done.output
    assert "✓ UDP" in done.output
