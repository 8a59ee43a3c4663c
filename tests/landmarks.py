"""The bundled portrait's landmarks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MEASURED = Path(__file__).parent / "fixtures" / "portraits" / "ava_mediapipe.npz"


def measured(side: int) -> NDArray[np.float32]:
    """Return them, (478, 3), as MediaPipe measured them, in a picture so many pixels wide."""
    with np.load(_MEASURED) as file:
        return file["points"] * np.float32(side / 1024)
