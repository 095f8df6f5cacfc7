"""Sheets for people: rows of pictures, each with a line of text above it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.files import writing

if TYPE_CHECKING:
    from PIL import Image

LINE, GAP = 14, 4  # pixels of a row's text, and between pictures
APART = 16  # between groups of pictures


def save_rows(path: Path, rows: Sequence[tuple[str, Sequence[Sequence[Image.Image]]]], *, side: int) -> None:
    """Save a sheet with a row for each text: groups of pictures, which lie a little apart, each picture fitted into a square.

    Args:
        path: of the PNG.
        rows: a text and its groups.
        side: of the squares, in pixels.
    """
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    width = max(sum(len(group) * (side + GAP) for group in groups) + APART * len(groups) for _, groups in rows)
    written = max(math.ceil(ImageFont.load_default().getlength(text)) for text, _ in rows)
    sheet = Image.new("RGB", (max(width, side, written), len(rows) * (LINE + side + GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (text, groups) in enumerate(rows):
        left, top = 0, number * (LINE + side + GAP)
        draw.text((0, top), text, fill="black")
        for group in groups:
            for each in group:
                sheet.paste(ImageOps.pad(each.convert("RGB"), (side, side), color="white"), (left, top + LINE))
                left += side + GAP
            left += APART if group else 0
    with writing(path) as temporary:
        sheet.save(temporary, format="PNG")
