"""Reading a portrait from a file, whatever its format."""

import io
import struct
import warnings
from importlib.resources import as_file, files
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from realtime_avatar.errors import InputError

MAX_PIXELS = 150_000_000
"""Of a file; decoding one takes about four bytes each."""

# Not all that Pillow knows: some of its readers run other programs (EPS), others nobody needs.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
_LONGEST = 4096  # side of what is returned: finer than any picture that is shown
_GREY = 128  # what a transparent portrait stands before


def read_portrait(file: Path | BinaryIO, most: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the picture in a file, upright, in sRGB.

    The camera's rotation is undone, transparency laid over grey, the first picture of an
    animation taken, more than eight bits reduced to eight, and a picture larger than 4096
    pixels made smaller.

    Args:
        file: A path, or an open file.
        most: Pixels that it may have.

    Returns:
        RGB, shape (height, width, 3).

    Raises:
        InputError: if there is no such file, it is not a picture, it is cut short, or it
            has too many pixels.
    """
    path = file if isinstance(file, Path) else "the picture"
    try:
        with warnings.catch_warnings():
            # Pillow warns at 90 million pixels; the limit here is checked below instead.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(file, formats=_FORMATS)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except Image.DecompressionBombError:
        raise InputError(f"{path} has more than {most // 1_000_000} megapixels") from None
    except (OSError, SyntaxError, ValueError, struct.error):
        raise InputError(f"{path} is not a picture that can be read") from None
    with picture:
        if picture.width * picture.height > most:
            raise InputError(f"{path} has more than {most // 1_000_000} megapixels")
        try:
            return np.asarray(_upright(picture), np.uint8)
        except (OSError, SyntaxError, ValueError, EOFError, struct.error):
            raise InputError(f"{path} is cut short or damaged") from None


def default_portrait() -> Path:
    """Return the portrait that ships with the package."""
    with as_file(files("realtime_avatar.face") / "data" / "portraits" / "ava.jpg") as path:
        return path


def _upright(picture: Image.Image) -> Image.Image:
    picture.draft(None, (_LONGEST, _LONGEST))  # a JPEG is decoded smaller at no cost
    picture.load()
    factor = -(-max(picture.size) // _LONGEST)
    profile = picture.info.get("icc_profile")
    exif = picture.getexif()
    small = _eight_bits(picture)
    if factor > 1:
        small = small.reduce(factor)
    small = _rgb(small, profile)
    small.getexif().update(exif)
    return ImageOps.exif_transpose(small)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Return the picture in a mode that can be averaged, 8 bits a channel."""
    if picture.mode in ("I;16", "I;16L", "I;16B", "I", "F"):
        grey = np.asarray(picture, np.float32)
        # 16 bits whatever the mode says, unless it is already within 8 bits or within 1.
        top = float(grey.max(initial=0))
        scale = 255 if top <= 1 else 1 if top <= 255 else 255 / 65535
        return Image.fromarray(np.clip(grey * scale, 0, 255).astype(np.uint8))
    if picture.mode in ("P", "PA"):
        return picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    return picture


def _rgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    alpha = None
    if picture.mode in ("LA", "La", "RGBA", "RGBa"):
        straight = picture.convert("RGBA")
        alpha, picture = straight.getchannel("A"), straight.convert("RGB")
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            changed = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):  # a profile that makes no sense is left out
            changed = None
        picture = changed or picture
    picture = picture.convert("RGB")
    if alpha is not None:
        behind = Image.new("RGB", picture.size, (_GREY, _GREY, _GREY))
        behind.paste(picture, mask=alpha)
        return behind
    return picture
