"""A turn that is played out into a file."""

from collections.abc import AsyncIterable
from pathlib import Path
from types import TracebackType
from typing import Self

from anyio import CancelScope, to_thread

from realtime_avatar.errors import EngineError
from realtime_avatar.media.mp4 import Mp4Writer
from realtime_avatar.media.shot import Shot


class FilePlayout:
    """Writes shots to an MP4 file, which appears when it is whole.

    Args:
        path: The file; one that is there is replaced.
        fps: Pictures a second of the shots.

    Raises:
        InputError: if the file cannot be written.
    """

    def __init__(self, path: Path, fps: int = 25) -> None:
        self._path, self._fps = path, fps
        self._writer: Mp4Writer | None = None
        self._held: list[Shot] = []
        self._heard: list[str] = []

    @property
    def seconds(self) -> float:
        """How much has been written, seconds."""
        return self._writer.frames / self._fps if self._writer else 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file; drop it if an error or a cancellation ended the turn."""
        writer = self._writer
        if writer is None:
            return
        with CancelScope(shield=True):
            await to_thread.run_sync(writer.discard if kind else writer.close)

    async def play(self, shots: AsyncIterable[Shot]) -> None:
        async for shot in shots:
            if self._writer is None:
                if shot.frame is None:
                    self._held.append(shot)  # the picture that it would hold is yet to come
                    continue
                height, width, _ = shot.frame.shape
                self._writer = Mp4Writer(self._path, width, height, self._fps, shot.audio.rate)
                for held in self._held:
                    await self._write(self._writer, Shot(held.audio, shot.frame))
            await self._write(self._writer, shot)
        if self._writer is None and self._held:
            raise EngineError("face", "it made no picture")

    async def _write(self, writer: Mp4Writer, shot: Shot) -> None:
        await to_thread.run_sync(writer.write, shot)
        self._heard.append(shot.audio.text)

    def stop(self) -> str:
        heard, self._heard, self._held = "".join(self._heard), [], []
        return heard
