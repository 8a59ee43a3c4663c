"""The voice goes on when the face fails."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing

from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.frames import frames_of


async def hold_picture(
    animate: Callable[[AsyncIterable[Audio]], AsyncGenerator[Shot]],
    voice: AsyncIterable[Audio],
    fps: int,
    failed: Callable[[Exception], None],
) -> AsyncGenerator[Shot]:
    """Animate the voice; if that fails, say so once and hold the last picture to the end.

    Args:
        animate: The face.
        voice: What it says.
        fps: Pictures a second.
        failed: Told of the error.

    Yields:
        Shots whose audio joins to all of the voice, whatever happens.
    """
    given: deque[Audio] = deque()  # what the face has taken in and not shown yet
    shown = 0  # samples

    async def watched() -> AsyncGenerator[Audio]:
        async for audio in voice:
            given.append(audio)
            yield audio

    async def unseen() -> AsyncGenerator[Audio]:
        for audio in given:
            yield audio.after(shown)
        async for audio in voice:
            yield audio

    async with aclosing(watched()) as speech:
        try:
            async with aclosing(animate(speech)) as shots:
                async for shot in shots:
                    yield shot
                    shown = shot.audio.end
                    while given and given[0].end <= shown:
                        given.popleft()
            return
        except Exception as error:  # an engine may fail with anything
            failed(error)
    async with aclosing(frames_of(unseen(), fps)) as frames:
        async for audio in frames:
            yield Shot(audio, None)
