"""A film in pieces is a film, and plays while it is being made."""

import io
from collections.abc import AsyncGenerator
from pathlib import Path

import av
import numpy as np
import pytest

from realtime_avatar.errors import EngineError
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.film import Piece, PiecesPlayout
from realtime_avatar.media.mp4 import FRAGMENT

pytestmark = pytest.mark.anyio
RATE, FPS = 24_000, 25
SAMPLES = RATE // FPS


async def shots(count: int, *, blind: int = 0) -> AsyncGenerator[Shot]:
    """A square that moves to the right, and a tone that begins with the tenth picture."""
    for index in range(count):
        at = np.arange(index * SAMPLES, (index + 1) * SAMPLES)
        tone = 8000 * np.sin(2 * np.pi * 440 * at / RATE) * (index >= 10)
        frame = np.zeros((64, 96, 3), np.uint8)
        frame[:, index % 80 : index % 80 + 16] = 255
        audio = Audio(tone.astype(np.int16), RATE, index * SAMPLES, f"w{index} ")
        yield Shot(audio, None if index < blind else frame)


async def pieces_of(count: int, *, blind: int = 0) -> list[Piece]:
    pieces = list[Piece]()

    async def keep(piece: Piece) -> None:
        pieces.append(piece)

    playout = PiecesPlayout(keep, FPS)
    await playout.play(shots(count, blind=blind))
    assert playout.seconds == pytest.approx(count / FPS)
    assert playout.stop() == "".join(f"w{index} " for index in range(count))
    return pieces


def decode(data: bytes) -> tuple[list[float], list[np.ndarray], list[float]]:
    """Return the pictures' times, the pictures, and the times of loud sound."""
    times, pictures, loud = list[float](), list[np.ndarray](), list[float]()
    with av.open(io.BytesIO(data), "r") as film:
        for frame in film.decode(video=0):
            times.append(float(frame.time or 0))
            pictures.append(frame.to_ndarray(format="gray"))
    with av.open(io.BytesIO(data), "r") as film:
        for frame in film.decode(audio=0):
            pcm = frame.to_ndarray()[0]
            loud += [float(frame.time or 0) + i / 48_000 for i in np.nonzero(abs(pcm) > 0.1)[0]]
    return times, pictures, loud


async def test_the_pieces_join_to_a_film_in_step():
    pieces = await pieces_of(35)
    assert [piece.index for piece in pieces] == list(range(len(pieces)))
    times, pictures, loud = decode(b"".join(piece.data for piece in pieces))
    assert len(pictures) == 35
    # The sound and the square's tenth step are at the same time, within an AAC frame.
    assert loud[0] == pytest.approx(times[10], abs=0.022)
    for index, picture in enumerate(pictures):
        assert int(picture[32].argmax()) == pytest.approx(index % 80, abs=2)


async def test_each_beginning_plays_by_itself():
    """A player that has only the first pieces shows their pictures: it need not wait."""
    pieces = await pieces_of(35)
    assert pieces[0].data[4:8] == b"ftyp"
    assert pieces[0].start == pieces[0].end == 0
    for count in range(2, len(pieces)):
        _, pictures, _ = decode(b"".join(piece.data for piece in pieces[:count]))
        assert len(pictures) == round(pieces[count - 1].end * FPS)
        assert len(pictures) == pytest.approx((count - 1) * FRAGMENT, abs=count)
        assert pieces[count - 1].data[4:8] == b"moof"


async def test_a_piece_says_what_is_in_it():
    pieces = await pieces_of(25)
    assert pieces[0].mime.startswith('video/mp4; codecs="avc1.64')
    for piece in pieces[1:]:
        shown = range(round(piece.start * FPS), round(piece.end * FPS))
        assert piece.text == "".join(f"w{index} " for index in shown)
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    assert pieces[-1].end == pytest.approx(1.0)


async def test_a_late_first_picture_stands_for_those_before():
    pieces = await pieces_of(12, blind=3)
    _, pictures, _ = decode(b"".join(piece.data for piece in pieces))
    assert len(pictures) == 12
    bright = [int((picture[32] > 128).argmax()) for picture in pictures]
    assert bright[:3] == [3, 3, 3]
    assert bright[11] == 11


async def test_no_picture_at_all_is_an_error():
    with pytest.raises(EngineError, match="no picture"):
        await pieces_of(5, blind=5)


async def test_a_single_picture_is_a_film(tmp_path: Path):
    _, pictures, _ = decode(b"".join(piece.data for piece in await pieces_of(1)))
    assert len(pictures) == 1
