from pathlib import Path

import pytest

from realtime_avatar.config import Settings
from realtime_avatar.engines.fake import FakeFace
from realtime_avatar.errors import ModelMissing
from realtime_avatar.server.service import open_service

pytestmark = pytest.mark.anyio


def settings(folder: Path, voice: dict[str, str], language: str = "") -> Settings:
    return Settings(
        detector="fake",
        recognizer="fake",
        endpointer="fake",
        chat="fake",
        face="fake",
        voice=voice,
        models=folder,
        offline=True,
        language=language,
    )


async def test_a_language_whose_voice_is_missing_is_left_out(tmp_path: Path) -> None:
    voice = {"en": "fake", "zh": "kokoro", "es": "fake"}
    async with open_service(settings(tmp_path, voice)) as service:
        options = await service.options()
        assert [language["code"] for language in options["languages"]] == ["en", "es"]
        assert service.ensemble.settings.possible == ("en", "es")


async def test_without_any_voice_there_is_no_service(tmp_path: Path) -> None:
    voice = {"en": "fake", "zh": "kokoro", "es": "fake"}
    with pytest.raises(ModelMissing, match="kokoro"):
        async with open_service(settings(tmp_path, voice, language="zh")):
            pass


async def test_no_more_calls_than_the_device_sustains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeFace, "capacity", 1, raising=False)
    voice = {"en": "fake", "zh": "fake", "es": "fake"}
    ours = settings(tmp_path, voice).model_copy(update={"max_sessions": 3})
    async with open_service(ours) as service:
        assert service.calls.places == 1
        assert service.settings.max_sessions == 1
    monkeypatch.setattr(FakeFace, "capacity", 9)
    async with open_service(ours) as service:
        assert service.calls.places == 3
