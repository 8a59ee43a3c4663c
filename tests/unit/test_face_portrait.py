import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from realtime_avatar.errors import InputError
from realtime_avatar.face import portrait
from realtime_avatar.face.portrait import default_portrait, read_portrait

RED, GREEN = (200, 30, 20), (20, 180, 40)


def halves(size: tuple[int, int] = (40, 60)) -> Image.Image:
    """Red above, green below."""
    picture = Image.new("RGB", size, RED)
    picture.paste(GREEN, (0, size[1] // 2, size[0], size[1]))
    return picture


def plain(path: Path) -> None:
    halves().save(path)


def rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    halves().rotate(90, expand=True).save(path, exif=exif)


def cmyk(path: Path) -> None:
    halves().convert("CMYK").save(path, "TIFF")


def palette(path: Path) -> None:
    halves().quantize(8).save(path)


def transparent_palette(path: Path) -> None:
    picture = halves().quantize(8)
    picture.save(path, transparency=255)


def animation(path: Path) -> None:
    halves().save(path, "GIF", save_all=True, append_images=[Image.new("RGB", (40, 60))])


def profiled(path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    halves().save(path, icc_profile=profile)


def broken_profile(path: Path) -> None:
    halves().save(path, icc_profile=b"not a profile")


@pytest.mark.parametrize(
    "write",
    [plain, rotated, cmyk, palette, transparent_palette, animation, profiled, broken_profile],
)
def test_every_kind_of_picture_comes_out_upright_in_rgb(
    tmp_path: Path, write: Callable[[Path], None]
):
    write(tmp_path / "picture.png")
    read = read_portrait(tmp_path / "picture.png")
    assert read.shape == (60, 40, 3)
    assert read.dtype == np.uint8
    assert np.abs(read[10, 20].astype(int) - RED).max() <= 3
    assert np.abs(read[50, 20].astype(int) - GREEN).max() <= 3


def test_sixteen_bits_become_eight(tmp_path: Path):
    grey = np.linspace(0, 65535, 80 * 60).reshape(80, 60).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    read = read_portrait(tmp_path / "grey.png")
    assert np.abs(read[..., 0].astype(int) - grey // 257).max() <= 1


def test_transparency_lies_over_grey(tmp_path: Path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_portrait(tmp_path / "clear.png") == 128).all()


def test_a_large_picture_is_made_smaller(tmp_path: Path):
    halves((2, 9000)).save(tmp_path / "tall.png")
    assert read_portrait(tmp_path / "tall.png").shape[0] == 3000


def header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has hardly any data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(b"\0" * 100))


@pytest.mark.parametrize("side", [12_500, 60_000])
def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path, side: int):
    (tmp_path / "bomb.png").write_bytes(header(side, side))
    with pytest.raises(InputError, match="150 megapixels"):
        read_portrait(tmp_path / "bomb.png")


def test_the_largest_allowed_gets_as_far_as_its_data(tmp_path: Path):
    (tmp_path / "empty.png").write_bytes(header(12_000, 12_000))
    with pytest.raises(InputError, match="cut short"):
        read_portrait(tmp_path / "empty.png")


@pytest.mark.parametrize("content", [b"", b"a letter, not a picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_not_a_picture(tmp_path: Path, content: bytes):
    (tmp_path / "no.png").write_bytes(content)
    with pytest.raises(InputError, match=r"no\.png is not a picture"):
        read_portrait(tmp_path / "no.png")


def test_half_a_picture(tmp_path: Path):
    whole = default_portrait().read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half\.jpg is cut short"):
        read_portrait(tmp_path / "half.jpg")


def test_a_folder_and_nothing_at_all(tmp_path: Path):
    with pytest.raises(InputError, match="not a picture"):
        read_portrait(tmp_path)
    with pytest.raises(InputError, match="no file"):
        read_portrait(tmp_path / "gone.jpg")


def test_the_bundled_portraits_are_there():
    for name in ("ava", "zoe", "leo"):
        assert read_portrait(default_portrait().with_name(f"{name}.jpg")).shape == (1024, 1024, 3)
    assert portrait.MAX_PIXELS == 150_000_000
