"""Settings: flags over environment (`AVATAR_…`) over `avatar.toml`; unknown keys are errors."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from realtime_avatar.errors import ConfigError


def _cores() -> int:
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


class Settings(BaseSettings):
    """All that an owner may choose.

    Attributes:
        languages: ISO 639-1 codes that the avatar hears and speaks, the favourite first.
        language: The one that it keeps to; empty follows the person's.
        name: What the avatar is called.
        portrait: Its photograph; the bundled one when not given.
        detector: Engine that hears when somebody speaks.
        recognizer: Engine that hears what they say.
        chat: Engine that thinks of an answer.
        voice: Engine that speaks each language: "engine" or "engine:speaker".
        face: Engine that shows the face.
        engines: Each engine's own options, by its name.
        models: Folder of the model store; by default in the user's cache.
        offline: Never fetch anything.
        threads: How many an engine may compute with at once.
    """

    model_config = SettingsConfigDict(
        toml_file="avatar.toml",
        env_prefix="AVATAR_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
    )

    languages: tuple[str, ...] = ("en", "zh", "es")
    language: str = ""
    name: str = "Ava"
    portrait: Path | None = None
    detector: str = "silero"
    recognizer: str = "whisper"
    chat: str = "llama"
    voice: dict[str, str] = {"en": "hibari", "zh": "kokoro", "es": "kokoro"}
    face: str = "photo"
    engines: dict[str, dict[str, Any]] = {}
    models: Path | None = None
    offline: bool = False
    threads: int = Field(default_factory=_cores, ge=1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def possible(self) -> tuple[str, ...]:
        """Languages that a conversation may be in: the one it keeps to, or all."""
        return (self.language,) if self.language else self.languages

    def voice_for(self, language: str) -> tuple[str, str]:
        """Return the voice engine and speaker (empty: the engine's choice) for a language.

        Raises:
            ConfigError: if the settings name none.
        """
        if language not in self.voice:
            known = ", ".join(self.voice)
            raise ConfigError(f"no voice speaks {language!r}; the settings name one for: {known}")
        engine, _, speaker = self.voice[language].partition(":")
        return engine, speaker


def load_settings(**flags: Any) -> Settings:
    """Read the settings; flags that are None do not count.

    Raises:
        ConfigError: naming the first setting that is unknown or makes no sense.
    """
    try:
        settings = Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"setting {where!r}: {first['msg']}") from None
    except (OSError, ValueError) as error:  # avatar.toml cannot be read or parsed
        raise ConfigError(f"avatar.toml: {error}") from error
    unknown = {settings.language, *settings.languages} - {""} - set(settings.voice)
    if unknown:
        known = ", ".join(settings.voice)
        raise ConfigError(f"unknown language {min(unknown)!r}; there are voices for: {known}")
    return settings
