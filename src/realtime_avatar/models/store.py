"""Where the weights are on this machine."""

import os
from pathlib import Path

import platformdirs

from realtime_avatar.errors import ModelMissing


class ModelStore:
    """A folder with one folder for each model."""

    def __init__(self, root: Path | None = None, *, offline: bool = False) -> None:
        default = platformdirs.user_cache_path("realtime-avatar") / "models"
        self.root = root or Path(os.environ.get("AVATAR_MODELS") or default)
        self.offline = offline

    def path(self, model: str) -> Path:
        """Return the folder that holds a model's files.

        Raises:
            ModelMissing: if it has not been pulled.
        """
        folder = self.root / model
        if not folder.is_dir():
            raise ModelMissing(
                f"the model {model!r} is not here; fetch it: avatar models pull {model}"
            )
        return folder
