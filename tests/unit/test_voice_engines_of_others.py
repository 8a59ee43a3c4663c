"""Engines whose weights belong to others: licence, what to install, what a server may answer."""

import sys
from pathlib import Path

import pytest

from realtime_avatar.engines.registry import Context, load
from realtime_avatar.errors import ConfigError, ModelMissing, RemoteError
from realtime_avatar.models.store import ModelStore
from stand_ins import standing_in
from streams import collect, stream

LICENCES = {"pocket-tts": "CC-BY-4.0", "xtts": "CPML"}


@pytest.mark.parametrize("name", LICENCES)
@pytest.mark.parametrize("accepted", ["", "MIT"])
def test_a_licence_is_accepted_by_its_name_not_silently(
    name: str, accepted: str, store: ModelStore, tmp_path: Path
):
    with standing_in(name, tmp_path) as options:
        context = Context(store, options=options | {"accept_licence": accepted})
        with pytest.raises(ConfigError, match=f"{LICENCES[name]}: .*accept_licence") as caught:
            load("voice", name, context)
    assert name in str(caught.value)


def test_what_is_not_installed_is_told(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for module in ("pocket_tts", "TTS"):
        monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "config.json").write_text("{}")
    for name, licence in LICENCES.items():
        options = {"accept_licence": licence}
        options |= {"folder": tmp_path} if name == "xtts" else {}
        with pytest.raises(ConfigError, match=rf"pip install 'realtime-avatar\[{name}\]'"):
            load("voice", name, Context(store, options=options))
    with pytest.raises(ModelMissing, match=r"config\.json"):
        load("voice", "xtts", Context(store, options={"accept_licence": "CPML"}))


@pytest.mark.anyio
async def test_a_speech_server_that_refuses_or_is_gone_is_told(store: ModelStore, tmp_path: Path):
    with standing_in("openai-speech", tmp_path) as options:
        for wrong, why, reason in (
            ({"key": "guess"}, "answered 401", "credentials"),
            ({"base_url": "http://127.0.0.1:9/v1"}, "not there", "unreachable"),
        ):
            engine = load("voice", "openai-speech", Context(store, options=options | wrong))
            async with engine.open() as voice:
                with pytest.raises(RemoteError, match=why) as caught:
                    await collect(voice.speak(stream(["Hello."])))
            assert caught.value.reason == reason
            assert "guess" not in str(caught.value)
