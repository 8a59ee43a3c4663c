"""A turn that is played out into a film: a file, or the pieces of a stream."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from anyio import CancelScope, to_thread

from realtime_avatar.errors import EngineError
from realtime_avatar.media.mp4 import Format, FragmentWriter, Mp4Writer, count_pictures
from realtime_avatar.media.picture import size
from realtime_avatar.media.shot import Shot


class FilePlayout:
    """Writes shots to an MP4 file, which appears when it is whole.

    Args:
        path: The file; one that is there is replaced.
        fps: Pictures a second of the shots.
        description: Kept in the file's metadata.

    Raises:
        InputError: if the file cannot be written.
    """

    def __init__(self, path: Path, fps: int = 25, description: str = "") -> None:
        self._path, self._fps, self._description = path, fps, description
        self._writer: Mp4Writer | None = None
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
        async with aclosing(_pictured(shots)) as pictured:
            async for shot in pictured:
                if self._writer is None:
                    shape = _shape(shot, self._fps)
                    self._writer = Mp4Writer(self._path, shape, self._description)
                await to_thread.run_sync(self._writer.write, shot)
                self._heard.append(shot.audio.text)

    def stop(self) -> str:
        heard, self._heard = "".join(self._heard), []
        return heard


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a fragmented MP4.

    Attributes:
        data: Its bytes. The first piece has no pictures; all of them joined are a file.
        index: Its place, from 0.
        start: When its first picture is shown, seconds from the film's beginning.
        end: When its last one has been.
        text: The words that begin to be spoken in it.
        mime: Type of the film with its codecs, as `MediaSource.addSourceBuffer` wants it.
    """

    data: bytes
    index: int
    start: float
    end: float
    text: str
    mime: str


class PiecesPlayout:
    """Gives shots out as the pieces of a fragmented MP4, as soon as each is whole.

    Args:
        send: Takes a piece; the turn waits for it.
        fps: Pictures a second of the shots.
    """

    def __init__(self, send: Callable[[Piece], Awaitable[None]], fps: int = 25) -> None:
        self._send, self._fps = send, fps
        self._heard: list[str] = []
        self._index = self._start = 0

    @property
    def seconds(self) -> float:
        """How much has been given out, seconds."""
        return self._start / self._fps

    async def play(self, shots: AsyncIterable[Shot]) -> None:
        writer: FragmentWriter | None = None
        try:
            async with aclosing(_pictured(shots)) as pictured:
                async for shot in pictured:
                    if writer is None:
                        shape = _shape(shot, self._fps)
                        writer = await to_thread.run_sync(FragmentWriter, shape)
                        await self._give(writer.init, writer, 0)
                    data = await to_thread.run_sync(writer.write, shot)
                    self._heard.append(shot.audio.text)
                    if data:
                        await self._give(data, writer, self._start + count_pictures(data))
            if writer is not None:
                data = await to_thread.run_sync(writer.finish)
                await self._give(data, writer, writer.frames)
        finally:
            if writer is not None:
                writer.close()

    def stop(self) -> str:
        heard, self._heard = "".join(self._heard), []
        return heard

    async def _give(self, data: bytes, writer: FragmentWriter, end: int) -> None:
        mime = f'video/mp4; codecs="{writer.codecs}"'
        start, self._start = self._start, end
        text = "".join(self._heard[start:end])
        piece = Piece(data, self._index, start / self._fps, end / self._fps, text, mime)
        self._index += 1
        await self._send(piece)


def _shape(shot: Shot, fps: int) -> Format:
    assert shot.frame is not None
    height, width = size(shot.frame)
    return Format(width, height, fps, shot.audio.rate)


async def _pictured(shots: AsyncIterable[Shot]) -> AsyncGenerator[Shot]:
    """Pass shots on, the first of them with the first picture that comes.

    Raises:
        EngineError: if none comes.
    """
    held, pictured = list[Shot](), False
    async for shot in shots:
        if not pictured and shot.frame is None:
            held.append(shot)
            continue
        for early in held:
            yield Shot(early.audio, shot.frame)
        held.clear()
        pictured = True
        yield shot
    if held:
        raise EngineError("face", "it made no picture")
