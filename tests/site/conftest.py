"""A small site with everything in it, drawn in a second, and names that a careless viewer would fall for."""

from __future__ import annotations

import colorsys
import math
import random
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from pellucid.schema import (
    VERSION,
    AtlasCard,
    AtlasLevel,
    Bars,
    Bucket,
    Cell,
    ClassValue,
    ConceptCard,
    DatasetCard,
    Example,
    Favour,
    Field,
    Kin,
    LayerCard,
    LayerPage,
    LevelCard,
    ModelCard,
    Neighbours,
    Patch,
    Picture,
    PicturesPage,
    Score,
    Site,
    Skipped,
    Sprites,
    Unit,
    Wall,
)
from pellucid.site import files

from .browsing import browser as browser
from .browsing import http as http
from .browsing import visit as visit

EVIL_CLASS = '<img src=x onerror="window.hacked=1">'
EVIL_FILE = 'a "quoted" & <b>bold</b> \'</script><script>window.hacked=2</script>.jpg'
EVIL_REASON = "<svg onload=window.hacked=3> is no picture"
CLASSES = [
    *(
        "tench, Tinca tinca",
        "fireboat",
        "lighthouse",
        "streetcar, tram, tramcar, trolley, trolley car",
        "sandbar, sand bar",
        "starfish",
    ),
    *(
        "scuba diver",
        "steam locomotive",
        "cabbage",
        "American black bear, black bear, Ursus americanus, Euarctos americanus",
        EVIL_CLASS,
    ),
]
LAYERS = [
    ("conv2", "conv2", 12, 12),
    ("mixed4a", "mixed4a/<b>branch</b>", 40, 24),
    ("head", "head", 7, 0),
]  # id, name, units, finest grid
SILENT = 3  # this unit of every layer says nothing
WALL, SIDE, NEAREST = 32, 6, 8  # pictures on the wall, tiles of its longer side, neighbours of each


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole site; tests that spoil it copy it first."""
    folder = tmp_path_factory.mktemp("run") / "site"
    write_site(folder)
    return folder


def write_site(folder: Path) -> None:
    files.copy_viewer(files.Folder(folder))
    cards = [_layer(folder, *each, depth=i) for i, each in enumerate(LAYERS)]
    site = Site(
        schema=VERSION,
        made_by="pellucid 0.1.0",
        title="What <i>Tiny</i> & friends see",
        model=ModelCard("terrarium", "terrarium <b>v1</b>", 3, 96, 96, 1_234_567, "0" * 64),
        dataset=DatasetCard("photos & more", 800, [Skipped(EVIL_FILE, EVIL_REASON), Skipped("empty.png", "no bytes")], 120, True),
        classes=CLASSES,
        layers=cards,
        wall=_wall(folder),
        explained=[],
    )
    files.write_data(files.Folder(folder), "site", site)


def pictures() -> list[Picture]:
    """Of every second picture one; the last has no label, the first a name that is none."""
    names = [EVIL_FILE, *(f"photos/{i:03d}.jpg" for i in range(1, WALL))]
    labels = [CLASSES[-1 - i % 4] for i in range(WALL - 1)]
    return [Picture(2 * i, names[i], (*labels, None)[i], i % len(CLASSES)) for i in range(WALL)]


def tile(layer: int, place: int) -> tuple[int, int]:
    """Where a picture hangs: every layer turns the wall."""
    return divmod((place * (5, 1, 7)[layer] + layer) % WALL, SIDE)


def neighbours(layer: int) -> Neighbours:
    """In layer l the next ones in steps of l + 1; by pixels (3) in steps of four, farther away."""
    near = [[(place + (layer + 1) * (j + 1)) % WALL for j in range(NEAREST)] for place in range(WALL)]
    return Neighbours(near, [[0.01 * (layer + 1) * (j + 1) for j in range(NEAREST)] for _ in range(WALL)])


def _wall(folder: Path) -> Sprites:
    files.write_data(files.Folder(folder), "pictures", PicturesPage(pictures()))
    for layer, (key, *_) in enumerate(LAYERS):
        tiles = [row * SIDE + col for row, col in (tile(layer, place) for place in range(WALL))]
        files.write_data(files.Folder(folder), f"wall-{key}", Wall(SIDE, tiles, neighbours(layer)))
    files.write_data(files.Folder(folder), "near-pixels", neighbours(3))
    return files.write_sprites(files.Folder(folder), "pictures", [painted(200 + i, 48, i / WALL) for i in range(WALL)], tile=48)


def painted(seed: int, size: int, hue: float) -> Image.Image:
    """Rings, stripes or dots in two colours: something to tell apart, not to admire."""
    draw = random.Random(seed)
    colour = lambda shift, value: tuple(round(255 * each) for each in colorsys.hsv_to_rgb((hue + shift) % 1, 0.55, value))  # noqa: E731
    picture = Image.new("RGB", (size, size), colour(draw.uniform(-0.1, 0.1), 0.85))
    pen = ImageDraw.Draw(picture)
    kind, step, tilt = draw.randrange(3), draw.randint(8, 18) * size // 96 + 2, draw.uniform(0, math.pi)
    for i in range(-size, 2 * size, step):
        tone = colour(draw.uniform(0.1, 0.3), draw.uniform(0.3, 1))
        if kind == 0:
            radius = max(1, size - i // 2)
            pen.ellipse((size / 2 - radius, size / 2 - radius, size / 2 + radius, size / 2 + radius), fill=tone)
        elif kind == 1:
            across = size * math.cos(tilt)
            pen.line((i - across, 0, i + across, size), fill=tone, width=max(1, step // 2))
        else:
            x, y = draw.uniform(0, size), draw.uniform(0, size)
            pen.ellipse((x, y, x + step, y + step), fill=tone)
    return picture.filter(ImageFilter.GaussianBlur(size / 90))


def _layer(folder: Path, key: str, name: str, units: int, finest: int, depth: int) -> LayerCard:
    pictures = [painted(1000 * depth + i, 96, i / units + depth / 3) for i in range(units)]
    for i, picture in enumerate(pictures):
        path = folder / "units" / key / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.resize((192, 192)).save(path)
    atlas = _atlas(folder, key, finest) if finest else None
    page = LayerPage(
        id=key,
        units=[_unit(key, name, i, units) for i in range(units)],
        crops=files.write_sprites(files.Folder(folder), f"{key}-crops", [painted(i, 64, i / 9) for i in range(9)], tile=64),
        wholes=files.write_sprites(
            files.Folder(folder), f"{key}-wholes", [painted(50 + i, 128, i / 9) for i in range(9)], tile=128
        ),
        concepts=None if key == "head" else ConceptCard(126, 89, 0.04),
        atlas=atlas,
    )
    files.write_data(files.Folder(folder), f"layer-{key}", page)
    return LayerCard(
        id=key,
        name=name,
        kind="Conv2d",
        channels=max(64, 2 * units),
        height=24 >> depth,
        width=24 >> depth,
        field=None if depth == 2 else Field([11 + 30 * depth] * 2, [4] * 2, [1.5] * 2),
        units=units,
        sprites=files.write_sprites(files.Folder(folder), f"{key}-units", pictures, tile=96),
        strip=[i for i in range(units) if i != SILENT][:16],
        icons=sum(level.cells for level in atlas.levels) if atlas else 0,
    )


def _unit(key: str, name: str, i: int, units: int) -> Unit:
    silent = i == SILENT
    names = [EVIL_FILE, *(f"fish/n0144{j}_tench.jpg" for j in range(8))]
    spots = [
        Example(j, names[j], CLASSES[-1 - j], 9.5 - j, j, j, [0.1, 0.05 * j, 0.5, 0.05 * j + 0.4], j % 2 == 0) for j in range(9)
    ]
    below = [Bucket("minimum", None, spots[:2]), Bucket("negative", 0.2, spots[2:4])] if i == 1 else []
    between = [Bucket("zero", 0.7, spots[4:6]), Bucket("positive", 0.1, spots[6:8])]
    shares = [0.5 ** (abs(k - 6) + 1) for k in range(40)]
    return Unit(
        name=f"{name}:{2 * i}",
        channel=2 * i,  # not every channel has a picture
        picture=f"units/{key}/{i}.png",
        negative=f"units/{key}/0.png" if i == 1 else None,
        score=0.0 if silent else 3 + (i * 7 % 11) * 1.37,
        silent=silent,
        history=[0.0] * 9 if silent else [12 * (1 - math.exp(-t / 4)) + math.sin(t * i) for t in range(17)],
        constant=-0.25 if i == 5 else None,
        examples=[] if i == 5 else spots,
        spectrum=[] if i == 5 else below + between,
        bars=Bars(-1.5, 9.5, shares),
        alike=[Kin((i + 1 + j) % units, 0.9 - 0.1 * j) for j in range(6)],
        opposite=[] if i == 4 else [Kin((i + 7 + j) % units, -0.6 + 0.1 * j) for j in range(2)],
        favours=[] if i == 4 else [Favour(len(CLASSES) - 1, 0.513), Favour(1, 0.2)],
        concepts=[] if key == "head" else [Score("wheel <i>& hub</i>", 0.0213 * (1 + i % 3)), Score("sky", 0.01)],
        quality=[] if silent else ["Worked: 3.2 times as far as the best real picture.", "Robust: 80% left."],
        settings="256 steps of Adam at 0.05, Fourier parameterization, 160 px, seed 0",
    )


def cells(grid: int) -> list[Cell]:
    """An island with a lake in it: the border and a hole stay empty."""
    found = []
    for row in range(grid):
        for col in range(grid):
            y, x = (row + 0.5) / grid - 0.5, (col + 0.5) / grid - 0.5
            if math.hypot(x, y) > 0.48 + 0.06 * math.sin(5 * math.atan2(y, x)) or math.hypot(x - 0.1, y + 0.05) < 0.09:
                continue
            order = sorted(range(len(CLASSES)), key=lambda k: math.hypot(x - 0.4 * math.cos(k * 2.3), y - 0.4 * math.sin(k * 2.3)))
            values = [ClassValue(k, 1.3 - 0.31 * i if i < 4 else -0.2) for i, k in enumerate(order[:5])]
            patches = [Patch((row + col + j) % 9, EVIL_FILE if j == 0 else f"fish/{j}.jpg", CLASSES[order[j]]) for j in range(6)]
            found.append(Cell(row, col, 1 + (row * 13 + col * 7) % 40, 0.5 + 0.4 * abs(x), values, patches))
    return found


def _atlas(folder: Path, key: str, finest: int) -> AtlasCard:
    levels = []
    for grid in [each for each in (6, 12, 24) if each <= finest]:
        level = AtlasLevel(grid, cells(grid))
        files.write_data(files.Folder(folder), f"atlas-{key}-{grid}", level)
        pictures = [
            painted(7 * i, 48, math.atan2(cell.row - grid / 2, cell.col - grid / 2) / (2 * math.pi))
            for i, cell in enumerate(level.cells)
        ]
        levels.append(
            LevelCard(grid, len(level.cells), files.write_sprites(files.Folder(folder), f"{key}-atlas-{grid}", pictures, tile=48))
        )
    patches = files.write_sprites(files.Folder(folder), f"{key}-patches", [painted(90 + i, 48, i / 9) for i in range(9)], tile=48)
    return AtlasCard(12_345, "UMAP, 15 neighbours, seed 0", 0.93, 0.71, True, patches, levels)
