"""A face that runs elsewhere, and the one that covers for it."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

import numpy as np
from anyio import fail_after, sleep, to_thread
from numpy.typing import NDArray

from realtime_avatar.engines.link import Link, Lost, linked
from realtime_avatar.engines.ports import Face, FaceEngine, Presence, Rig
from realtime_avatar.engines.remote import Remote, RemoteEngine
from realtime_avatar.engines.replay import Replay
from realtime_avatar.engines.wire import Shared
from realtime_avatar.errors import ConfigError, EngineError, InputError
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.frames import frames_of
from realtime_avatar.media.picture import Frame

_AHEAD: Final = 4  # pictures that a replica may be ahead
_SOON: Final = 2.0  # seconds that a conversation waits for a replica before it begins without
_AGAIN: Final = 1.0  # seconds between two attempts to find one


@dataclass(frozen=True, slots=True, eq=False)
class RemoteRig:
    """A portrait that was enrolled elsewhere.

    Attributes:
        shared: Names it.
        cover: The same portrait, for the face that covers.
    """

    shared: Shared
    cover: Rig | None


class RemoteFace(RemoteEngine):
    """A `FaceEngine` elsewhere.

    Args:
        remote: Where.
        cover: An engine of this process, which shows the face while no replica does; without
            one, the last picture is held.
    """

    def __init__(self, remote: Remote, cover: FaceEngine | None = None) -> None:
        super().__init__(remote)
        self._cover = cover

    def close(self) -> None:
        """Let go of the line, and of the cover."""
        super().close()
        if self._cover is not None:
            self._cover.close()

    async def enrol(
        self, portrait: NDArray[np.uint8], *, size: tuple[int, int] | None = None
    ) -> Rig:
        """Make a portrait ready to move, here and there. See `FaceEngine.enrol`."""
        import ray

        rig: Rig = await self._remote.call("enrol", portrait, size=size)
        cover: Rig | None = None
        if self._cover is not None:
            with suppress(InputError):  # its own wishes are not the person's business
                cover = await self._cover.enrol(portrait, size=(rig.width, rig.height))
        kept = await to_thread.run_sync(ray.put, rig)
        made = RemoteRig(Shared(token_hex(8), [kept]), cover)
        return Rig(rig.width, rig.height, made, rig.remarks)

    @asynccontextmanager
    async def open(self, rig: Rig, *, fps: int = 25) -> AsyncGenerator["_Face"]:
        """Open a session. See `FaceEngine.open`.

        Raises:
            CapacityError: if the replica has no room for another.
            ConfigError: if the rig is not one of this engine's.
        """
        if not isinstance(rig.data, RemoteRig):
            raise ConfigError("this portrait was enrolled by another face engine")
        link = self._remote.link(rig=rig.data.shared, fps=fps)
        async with AsyncExitStack() as stack:
            cover: Face = Still(rig, fps)
            if self._cover is not None and rig.data.cover is not None:
                cover = await stack.enter_async_context(self._cover.open(rig.data.cover, fps=fps))
            try:
                with fail_after(_SOON):
                    await link.connect()
            except (TimeoutError, EngineError):  # the conversation begins with the cover
                link.close()
            await stack.enter_async_context(linked(link, tasks=True, connect=False))
            face = _Face(link, cover)
            if not link.up:
                face.look()
            yield face


class _Face:
    """A session: shown by a replica, or by the cover while there is none."""

    def __init__(self, link: Link, cover: Face) -> None:
        self._link, self._cover = link, cover
        self._shown: tuple[int, int] | None = None  # the newest stream of the replica's shots
        self._covered = False  # whether the newest shot was the cover's
        self._looking = False

    async def animate(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Shot]:
        """Yield the shots of one speech, by whoever is there. See `Face.animate`."""
        async with self._link.reading(Replay(audio)) as replay:
            at: int | None = None
            while True:
                covered = self._covered = not self._link.up
                shots = self._cover.animate(replay.items()) if covered else self._there(replay)
                try:
                    async with aclosing(shots):
                        async for shot in shots:
                            at = end = shot.audio.end
                            replay.drop(lambda chunk, end=end: chunk.end <= end)
                            yield shot
                            if covered and self._link.up:
                                break  # the replica goes on from here
                        else:
                            return
                except Lost:
                    self.look()
                if at is not None:
                    now = at
                    replay.replace([chunk.after(now) for chunk in replay.kept])

    async def idle(self, presence: Presence = "idle") -> Frame:
        """Return the next picture of the face that says nothing. See `Face.idle`."""
        if self._link.up:
            shown = self._shown
            try:
                picture = await self._link.ask("idle", presence, shown=shown)
            except Lost:
                self.look()
            else:
                if isinstance(self._cover, Still):
                    self._cover.last = picture
                return picture
        return await self._cover.idle(presence)

    def unseen(self, shots: int) -> None:
        """Go on from the shot before the last `shots`. See `Face.unseen`."""
        if self._covered:
            self._cover.unseen(shots)
        elif self._shown is not None:
            number, shown = self._shown
            self._shown = (number, max(0, shown - shots))

    def look(self) -> None:
        """Look for another replica, in the background."""
        self._link.leave()
        if not self._looking:
            self._looking = True
            self._link.start(self._look)

    async def _look(self) -> None:
        while not self._link.up:
            try:
                await self._link.connect()
            except Exception:  # whatever it is, the cover is there, and it may pass
                await sleep(_AGAIN)
        self._looking = False

    async def _there(self, replay: Replay[Audio]) -> AsyncGenerator[Shot]:
        """Yield the replica's shots, and count them."""
        before, self._shown = self._shown, None

        def began(number: int) -> None:
            self._shown = (number, 0)

        source = self._link.stream(
            "animate", window=_AHEAD, replay=replay, shown=before, began=began
        )
        async with aclosing(source) as shots:
            async for shot in shots:
                if self._shown is not None:
                    self._shown = (self._shown[0], self._shown[1] + 1)
                if isinstance(self._cover, Still) and shot.frame is not None:
                    self._cover.last = shot.frame
                yield shot


class Still:
    """The cover of last resort: holds the last picture, and lets the voice go on.

    Args:
        rig: The portrait.
        fps: Pictures a second.
    """

    def __init__(self, rig: Rig, fps: int) -> None:
        self._fps = fps
        self.last: Frame = np.zeros((rig.height, rig.width, 3), np.uint8)

    async def animate(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Shot]:
        async for chunk in frames_of(audio, self._fps):
            yield Shot(chunk, None)

    async def idle(self, presence: Presence = "idle") -> Frame:
        return self.last.copy()

    def unseen(self, shots: int) -> None:
        """Nothing moves that could jump."""
