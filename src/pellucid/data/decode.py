"""One picture file to one upright RGB or grey picture, whatever the file holds."""

from __future__ import annotations

import math
import os
import stat
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pellucid.errors import PellucidError

ORIENTATION = 0x0112  # the EXIF tag; values from 5 on swap height and width


def decode(
    source: Path | bytes, size: tuple[int, int], channels: int = 3, *, formats: tuple[str, ...] | None = None
) -> Image.Image:
    """The first frame of a picture file, turned as its EXIF says and flattened to RGB or grey, large enough for `size`.

    Transparent pictures are laid on white; 16-bit greys keep their range;
    JPEGs are read at a fraction of their size if that will do.

    Args:
        source: the file, or what stands in one.
        size: (height, width) that `fit` will cut from it.
        channels: 3 for RGB, 1 for grey.
        formats: that are tried, by Pillow's names; None for all.

    Raises:
        PellucidError: the file is no picture, is broken, or is larger than Pillow's limit against decompression bombs.
    """
    try:
        if isinstance(source, Path) and not stat.S_ISREG(source.stat().st_mode):  # a pipe would block for ever
            raise PellucidError("not a regular file")
        with Image.open(source if isinstance(source, Path) else BytesIO(source), formats=formats) as picture:
            _check_pixels(picture)
            mode = "L" if channels == 1 else "RGB"
            height, width = size[::-1] if picture.getexif().get(ORIENTATION, 1) >= 5 else size
            picture.draft(mode, _covering(picture.size, (width, height)))
            return ImageOps.exif_transpose(_flat(picture, mode))
    except (PellucidError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise nearly anything on broken bytes
        raise PellucidError(_reason(error)) from error


def fit(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The centre of a picture at exactly (height, width): the side that is short for that shape fits, the other is cropped.

    >>> fit(Image.new("RGB", (200, 100)), (32, 64)).size
    (64, 32)
    """
    height, width = size
    scale = min(picture.width / width, picture.height / height)
    left, top = (picture.width - width * scale) / 2, (picture.height - height * scale) / 2
    box = (max(left, 0), max(top, 0), min(left + width * scale, picture.width), min(top + height * scale, picture.height))
    return picture.resize((width, height), Image.Resampling.BILINEAR, box=box)


def _covering(picture: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int]:
    scale = max(wanted[0] / picture[0], wanted[1] / picture[1])
    return math.ceil(picture[0] * scale), math.ceil(picture[1] * scale)


def _check_pixels(picture: Image.Image) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and picture.width * picture.height > limit:
        raise Image.DecompressionBombError


def _flat(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        return _eight_bits(picture).convert(mode)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert(mode)
    return picture.convert(mode)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Greys of 16 bits (also in 32-bit containers) by their high byte; floats as [0, 1] where they stay in it, else as 0..255."""
    values = np.asarray(picture).astype(np.float64)
    values = values / 257 if picture.mode.startswith("I") else values * (255 if values.max() <= 1 else 1)
    flat = Image.fromarray(np.nan_to_num(values).round().clip(0, 255).astype(np.uint8))
    flat.getexif()[ORIENTATION] = picture.getexif().get(ORIENTATION, 1)
    return flat


def _reason(error: Exception) -> str:
    """Why a file was left out, in words that are the same on every run (Pillow's hold paths and addresses)."""
    match error:
        case UnidentifiedImageError():
            return "not a picture that Pillow can read"
        case Image.DecompressionBombError() | Image.DecompressionBombWarning():
            return f"more than {Image.MAX_IMAGE_PIXELS} pixels"
        case OSError(errno=int(number)):
            return os.strerror(number)
        case _:
            return f"broken: {' '.join(str(error).split()) or type(error).__name__}"
