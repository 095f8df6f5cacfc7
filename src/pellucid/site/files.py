"""The files of a site: data as classic scripts, pictures on sprite sheets, the viewer beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from pellucid.arrays import contact_sheet
from pellucid.errors import PellucidError
from pellucid.files import writing
from pellucid.schema import Sprites, to_json

VIEWER = Path(__file__).with_name("viewer")  # index.html, viewer.js, viewer.css: built from web/ by `make web`
COLUMNS, PER_SHEET = 10, 100


class Shelf(Protocol):
    """Where the files of a site are put; their paths are relative to it, with `/` on every system."""

    def put(self, path: str, content: bytes) -> None: ...


@dataclass(frozen=True)
class Folder:
    """A shelf on disk: each file is whole or not there.

    >>> import tempfile
    >>> shelf = Folder(Path(tempfile.mkdtemp()))
    >>> shelf.put("a/b.txt", b"whole")
    >>> (shelf.root / "a" / "b.txt").read_text()
    'whole'
    """

    root: Path

    def put(self, path: str, content: bytes) -> None:
        with writing(self.root / path) as file:
            file.write_bytes(content)


@dataclass(frozen=True)
class Memory:
    """A shelf that is gone with the process.

    >>> shelf = Memory()
    >>> shelf.put("a/b.txt", b"whole")
    >>> shelf.files
    {'a/b.txt': b'whole'}
    """

    files: dict[str, bytes] = field(default_factory=dict)

    def put(self, path: str, content: bytes) -> None:
        self.files[path] = content


def data_script(key: str, value: object) -> bytes:
    """The script that hands a value to the viewer."""
    return f"pellucid.put({to_json(key)}, {to_json(value)});\n".encode("ascii")


def write_data(site: Shelf, key: str, value: object) -> None:
    """Write `data/KEY.js`, which hands the value to the viewer."""
    site.put(f"data/{key}.js", data_script(key, value))


def read_data(site: Path, key: str) -> Any:
    """The value that `data/KEY.js` of a site's folder hands to the viewer.

    Raises:
        PellucidError: there is no such script.
    """
    file = site / "data" / f"{key}.js"
    try:
        text = file.read_text(encoding="ascii")
        return json.loads(text.removeprefix(f"pellucid.put({to_json(key)}, ").removesuffix(");\n"))
    except (OSError, ValueError) as error:
        raise PellucidError(f"{file} cannot be read ({error}); export the site again") from error


def write_picture(site: Shelf, path: str, picture: Image.Image) -> None:
    """Write a picture as PNG where its path ends so, else as JPEG at quality 90."""
    made = BytesIO()
    picture.save(made, format="PNG") if path.endswith(".png") else picture.save(made, format="JPEG", quality=90)
    site.put(path, made.getvalue())


def write_sprites(site: Shelf, name: str, pictures: Sequence[Image.Image], *, tile: int, lossless: bool = False) -> Sprites:
    """Write pictures, each brought to `tile` pixels a side, on sheets of ten by ten: `sprites/NAME-0.jpg` and on.

    Args:
        name: unique in the site.
        tile: pixels a side; pictures that are not square are fitted inside.
        lossless: PNG instead of JPEG at quality 90.
    """
    sheets = []
    for start in range(0, len(pictures), PER_SHEET):
        sheet = contact_sheet([square(each, tile) for each in pictures[start : start + PER_SHEET]], columns=COLUMNS, gap=0)
        sheets.append(f"sprites/{name}-{start // PER_SHEET}.{'png' if lossless else 'jpg'}")
        write_picture(site, sheets[-1], sheet)
    return Sprites(sheets=sheets, tile=tile, columns=COLUMNS, per_sheet=PER_SHEET, count=len(pictures))


def copy_viewer(site: Shelf) -> None:
    """Copy the built viewer into the site.

    Raises:
        PellucidError: the package was installed without its viewer.
    """
    for name, content in viewer_files().items():
        site.put(name, content)


def viewer_files() -> dict[str, bytes]:
    """The built viewer.

    Raises:
        PellucidError: the package was installed without it.
    """
    if not (VIEWER / "index.html").exists():
        raise PellucidError(f"the viewer is missing from {VIEWER}; build it with `make web` or install a released package")
    return {each.name: each.read_bytes() for each in sorted(VIEWER.iterdir())}


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
