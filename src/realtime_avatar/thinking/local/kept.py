"""What a model remembers of system messages, kept on disk from one start to the next.

Reading one takes seconds on a small machine, and what is remembered of it depends on the model
and the words alone: 29 kB for each token of the default model.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from realtime_avatar.models.kept import KeptArrays
from realtime_avatar.thinking.local.attention import blocks
from realtime_avatar.thinking.local.memory import Memory
from realtime_avatar.thinking.read_prompts import prune

_VERSION: Final = "local 3"  # of what is computed


class KeptPrompts:
    """The files of one model. Blocking: call it in worker threads.

    What cannot be kept or restored is read again; no error leaves here.

    Args:
        folder: Where they are; None keeps nothing.
        model: The model's file; see `KeptArrays`.
    """

    def __init__(self, folder: Path | None, model: Path) -> None:
        self._kept = KeptArrays(folder, model, _VERSION)

    def restore(self, memory: Memory, tokens: Sequence[int]) -> bool:
        """Let an empty memory remember tokens if they are kept; return whether they were."""
        if not (kept := self._kept.restore(_name(tokens))):
            return False
        try:
            keys, values = kept["keys"], kept["values"]
            memory.keys[:, :, : keys.shape[2]], memory.values[:, :, : len(tokens)] = keys, values
        except (ValueError, KeyError):
            return False
        memory.tokens = list(tokens)
        memory.guessed = memory.since = len(tokens)
        return True

    def keep(self, memory: Memory) -> None:
        """Keep a memory, of a system message and nothing else."""
        count = len(memory.tokens)
        keys = memory.keys[:, :, : blocks(count)]
        values = memory.values[:, :, :count]
        if file := self._kept.keep(_name(memory.tokens), {"keys": keys, "values": values}):
            with suppress(OSError):
                prune(file.parent)


def _name(tokens: Sequence[int]) -> str:
    return " ".join(map(str, tokens))
