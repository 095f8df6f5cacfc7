"""One convention for arrays, and the ways between tensors and pictures.

The axis letters, everywhere in the package:

====  =====================================================================
n     images in a batch, or samples in a table
c     channels of an image or of a layer
h w   rows and columns, in this order (never x, y)
k     classes
p     points of a layout
====  =====================================================================

Images are `n c h w`, RGB, float in [0, 1]; positions are (row, col); layout points are (x, y) in [0, 1]² with y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn import functional as F


def to_picture(image: Float[Tensor, "c h w"]) -> Image.Image:
    """A float image in [0, 1] with 1, 3 or 4 channels as a Pillow picture (values outside are clipped).

    >>> to_picture(torch.ones(3, 4, 6)).size
    (6, 4)
    """
    if image.shape[0] not in (1, 3, 4):  # show what there is: the mean of all channels
        image = image.mean(0, keepdim=True)
    values = image.detach().float().clamp(0, 1).mul(255).round().to("cpu", torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)


def to_image(picture: Image.Image, channels: int = 3) -> Float[Tensor, "c h w"]:
    """A Pillow picture as a float image in [0, 1] with one or three channels.

    >>> to_image(Image.new("RGB", (6, 4), "white")).shape
    torch.Size([3, 4, 6])
    """
    values = np.array(picture.convert("L" if channels == 1 else "RGB"), dtype=np.uint8)
    return torch.from_numpy(values).reshape(*values.shape[:2], -1).permute(2, 0, 1).float().div(255)


def resized(image: Float[Tensor, "c h w"], size: tuple[int, int]) -> Float[Tensor, "c p q"]:
    """The picture at another (height, width), smoothed where it shrinks.

    >>> resized(torch.ones(3, 4, 6), (2, 9)).shape
    torch.Size([3, 2, 9])
    """
    if tuple(image.shape[1:]) == tuple(size):
        return image
    return F.interpolate(image[None], size, mode="bilinear", antialias=True, align_corners=False)[0].clamp(0, 1)


def contact_sheet(
    images: Sequence[Image.Image], *, columns: int | None = None, gap: int = 2, background: str | tuple[int, ...] = "white"
) -> Image.Image:
    """Pictures in rows on one sheet, in reading order; each cell is as large as the largest picture.

    >>> contact_sheet([Image.new("RGB", (10, 10))] * 5, columns=3, gap=0).size
    (30, 20)
    """
    columns = math.ceil(math.sqrt(len(images))) if columns is None else columns
    width, height = max(i.width for i in images), max(i.height for i in images)
    rows = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), background)
    for index, image in enumerate(images):
        row, col = divmod(index, columns)
        sheet.paste(image, (col * (width + gap), row * (height + gap)), image if image.mode == "RGBA" else None)
    return sheet
