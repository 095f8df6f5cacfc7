"""The files of a site: data as classic scripts, pictures on sprite sheets, the viewer beside them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from pellucid.arrays import contact_sheet
from pellucid.errors import PellucidError
from pellucid.files import writing
from pellucid.schema import Sprites, to_json

VIEWER = Path(__file__).with_name("viewer")  # index.html, viewer.js, viewer.css: built from web/ by `make web`
COLUMNS, PER_SHEET = 10, 100


def write_data(site: Path, key: str, value: object) -> None:
    """Write `data/KEY.js`, the script that hands the value to the viewer."""
    with writing(site / "data" / f"{key}.js") as path:
        path.write_text(f"pellucid.put({to_json(key)}, {to_json(value)});\n", encoding="ascii")


def write_sprites(site: Path, name: str, pictures: Sequence[Image.Image], *, tile: int, lossless: bool = False) -> Sprites:
    """Write pictures, each brought to `tile` pixels a side, on sheets of ten by ten: `sprites/NAME-0.jpg` and on.

    Args:
        name: unique in the site.
        tile: pixels a side; pictures that are not square are fitted inside.
        lossless: PNG instead of JPEG at quality 90.
    """
    sheets = []
    for start in range(0, len(pictures), PER_SHEET):
        sheet = contact_sheet([square(each, tile) for each in pictures[start : start + PER_SHEET]], columns=COLUMNS, gap=0)
        target = site / "sprites" / f"{name}-{start // PER_SHEET}.{'png' if lossless else 'jpg'}"
        with writing(target) as path:
            sheet.save(path, format="PNG") if lossless else sheet.save(path, format="JPEG", quality=90)
        sheets.append(target.relative_to(site).as_posix())
    return Sprites(sheets=sheets, tile=tile, columns=COLUMNS, per_sheet=PER_SHEET, count=len(pictures))


def copy_viewer(site: Path) -> None:
    """Copy the built viewer into the site.

    Raises:
        PellucidError: the package was installed without its viewer.
    """
    if not (VIEWER / "index.html").exists():
        raise PellucidError(f"the viewer is missing from {VIEWER}; build it with `make web` or install a released package")
    for source in sorted(VIEWER.iterdir()):
        with writing(site / source.name) as path:
            shutil.copyfile(source, path)


def square(picture: Image.Image, tile: int) -> Image.Image:
    """A picture fitted into a square of `tile` pixels, grey where it does not reach."""
    if picture.size == (tile, tile):
        return picture.convert("RGB")
    scale = tile / max(picture.size)
    small = picture.convert("RGB").resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS
    )
    square = Image.new("RGB", (tile, tile), (128, 128, 128))
    square.paste(small, ((tile - small.width) // 2, (tile - small.height) // 2))
    return square
