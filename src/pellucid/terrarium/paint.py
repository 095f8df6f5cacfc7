"""The brush of the terrarium: shapes with textures and poses on a canvas that remembers which part each pixel shows."""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]
Fill = Colour | tuple[Colour, Colour] | Image.Image

UNITS = 96  # the world is drawn in units of a 96 px picture, whatever the size asked for
SUPER = 2  # drawn twice as large and reduced: Pillow's polygons have no antialiasing of their own
_BANK = 512


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue (any number, modulo 1), saturation and value in [0, 1].

    >>> hsv(0, 1, 1)
    (255, 0, 0)
    """
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(red * 255), round(green * 255), round(blue * 255)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour between two; `share` in [0, 1] is the second one's part.

    >>> mix((0, 0, 0), (100, 200, 50), 0.5)
    (50, 100, 25)
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def dark(colour: Colour, share: float = 0.35) -> Colour:
    """The colour in the shade (a little towards blue, as shades outdoors are)."""
    return mix(colour, (14, 16, 40), share)


def light(colour: Colour, share: float = 0.35) -> Colour:
    """The colour in the light."""
    return mix(colour, (255, 252, 235), share)


def rect(x0: float, y0: float, x1: float, y1: float) -> list[Point]:
    """The corners of a rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def oval(
    x: float, y: float, rx: float, ry: float | None = None, *, start: float = 0, stop: float = 1, steps: int = 22
) -> list[Point]:
    """Points on an ellipse from `start` to `stop` in turns, clockwise from the right."""
    ry = rx if ry is None else ry
    angles = [(start + (stop - start) * k / steps) * math.tau for k in range(steps + (stop - start < 1))]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def rounded(x0: float, y0: float, x1: float, y1: float, radius: float) -> list[Point]:
    """The outline of a rectangle with round corners."""
    r = min(radius, abs(x1 - x0) / 2, abs(y1 - y0) / 2)
    corners = [(x1 - r, y1 - r, 0.0), (x0 + r, y1 - r, 0.25), (x0 + r, y0 + r, 0.5), (x1 - r, y0 + r, 0.75)]
    return [p for x, y, turn in corners for p in oval(x, y, r, start=turn, stop=turn + 0.25, steps=4)]


def blob(rng: random.Random, x: float, y: float, rx: float, ry: float, wobble: float = 0.15, steps: int = 26) -> list[Point]:
    """A wobbly oval: a hill, a tree top, a stone."""
    waves = [(rng.randint(2, 6), rng.random() * math.tau, rng.uniform(0.3, 1)) for _ in range(3)]
    points = []
    for k in range(steps):
        angle = k / steps * math.tau
        reach = 1 + wobble * sum(weight * math.sin(n * angle + phase) for n, phase, weight in waves) / 1.5
        points.append((x + rx * reach * math.cos(angle), y + ry * reach * math.sin(angle)))
    return points


@cache
def _bank(kind: str) -> Image.Image:
    """A large seamless noise picture; each texture is a random window of one of these."""
    along, across, slope = {
        "grain": (1.0, 1.0, 0.0),
        "mottle": (1.0, 1.0, 1.5),
        "cloud": (1.0, 1.0, 2.2),
        "ripple": (0.3, 1.7, 1.3),
        "fur": (1.7, 0.4, 0.9),
    }[kind]
    noise = np.random.default_rng(sum(map(ord, kind))).standard_normal((_BANK, _BANK))
    rows, cols = np.meshgrid(np.fft.fftfreq(_BANK), np.fft.fftfreq(_BANK), indexing="ij")
    # stretching the frequency axis by a squeezes the pattern by a: ripples are long along x and short along y
    frequency = np.maximum(np.hypot(rows / across, cols / along), 4 / _BANK)
    values = np.fft.ifft2(np.fft.fft2(noise) * frequency**-slope).real
    values = np.clip(127.5 + 50 * (values - values.mean()) / values.std(), 0, 255)
    doubled = np.tile(values.astype(np.uint8), (2, 2))
    return Image.fromarray(doubled)


@cache
def _glow() -> Image.Image:
    """Bright in the middle, nothing at the rim of the inscribed circle."""
    return Image.radial_gradient("L").point([max(0, round(255 - 1.5 * v)) for v in range(256)])


@cache
def _ramp() -> Image.Image:
    return Image.linear_gradient("L")


class Canvas:
    """A picture being drawn, in units of 1/96 of its side, with x to the right and y downwards."""

    def __init__(self, rng: random.Random, size: int, *, masks: bool) -> None:
        self.rng, self.size = rng, size
        self.pixels = size * SUPER
        self.picture = Image.new("RGB", (self.pixels, self.pixels))
        self._brush = ImageDraw.Draw(self.picture)
        self._owners = Image.new("L", self.picture.size) if masks else None
        self._owner_brush = None if self._owners is None else ImageDraw.Draw(self._owners)
        self._parts: list[str] = [""]
        self.facts: dict[str, float | str] = {}
        unit = self.pixels / UNITS
        self._pose = (unit, 0.0, 0.0, 0.0, unit, 0.0)  # x' = a x + b y + c, y' = d x + e y + f

    @contextmanager
    def pose(
        self, x: float, y: float, *, scale: float = 1, turn: float = 0, flip: bool = False, fact: bool = False
    ) -> Iterator[None]:
        """Draw around (x, y) in local units: larger by `scale`, turned clockwise by `turn` degrees, mirrored by `flip`.

        With `fact` the pose is kept among the facts of the scene: it is the main thing's.
        """
        if fact:
            self.facts |= {"x": x, "y": y, "scale": scale, "turn": turn, "flip": float(flip)}
        before = a, b, c, d, e, f = self._pose
        cos, sin = math.cos(math.radians(turn)) * scale, math.sin(math.radians(turn)) * scale
        side = -1 if flip else 1
        self._pose = (
            side * (a * cos + b * sin), b * cos - a * sin, a * x + b * y + c,
            side * (d * cos + e * sin), e * cos - d * sin, d * x + e * y + f,
        )  # fmt: skip
        try:
            yield
        finally:
            self._pose = before

    @property
    def _unit(self) -> float:
        a, b, _, d, e, _ = self._pose
        return math.sqrt(abs(a * e - b * d))

    def _place(self, points: Sequence[Point]) -> list[Point]:
        a, b, c, d, e, f = self._pose
        return [(a * x + b * y + c, d * x + e * y + f) for x, y in points]

    def _own(self, part: str) -> int:
        if part not in self._parts:
            self._parts.append(part)
        return self._parts.index(part)

    def shape(self, points: Sequence[Point], fill: Fill, part: str | None) -> None:
        """Fill a polygon with a colour, with two colours from top to bottom, or with a texture.

        `part` names what the pixels show, "boat/window" for both at once; None leaves them what they were (a shadow, a line).
        """
        placed = self._place(points)
        if isinstance(fill, Image.Image):
            self._paste(placed, lambda box: fill.crop(box))
        elif isinstance(fill[0], tuple):
            self._paste(placed, lambda box: self._gradient(fill[0], fill[1], box))  # pyright: ignore[reportArgumentType]
        else:
            self._brush.polygon(placed, fill=fill)  # pyright: ignore[reportArgumentType]
        if self._owner_brush is not None and part is not None:
            self._owner_brush.polygon(placed, fill=self._own(part))

    def _gradient(self, top: Colour, bottom: Colour, box: tuple[int, int, int, int]) -> Image.Image:
        ramp = _ramp().resize((1, box[3] - box[1]))
        bands = [ramp.point([round(t + (b - t) * v / 255) for v in range(256)]) for t, b in zip(top, bottom, strict=True)]
        return Image.merge("RGB", bands).resize((box[2] - box[0], box[3] - box[1]))

    def _paste(self, placed: list[Point], source) -> None:
        xs, ys = [p[0] for p in placed], [p[1] for p in placed]
        left, top = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
        right, bottom = min(self.pixels, math.ceil(max(xs)) + 1), min(self.pixels, math.ceil(max(ys)) + 1)
        if right <= left or bottom <= top:
            return
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in placed], fill=255)
        self.picture.paste(source((left, top, right, bottom)), (left, top), mask)

    def line(self, points: Sequence[Point], width: float, colour: Colour, part: str | None = None) -> None:
        """A stroke of some width through the points."""
        placed, pixels = self._place(points), max(1, round(width * self._unit))
        joint = "curve" if pixels > 3 and len(points) > 2 else None
        self._brush.line(placed, fill=colour, width=pixels, joint=joint)
        if self._owner_brush is not None and part is not None:
            self._owner_brush.line(placed, fill=self._own(part), width=pixels, joint=joint)

    def dot(self, x: float, y: float, radius: float, colour: Colour, part: str | None = None) -> None:
        """A small disc."""
        ((x, y),) = self._place([(x, y)])
        reach = radius * self._unit
        box = (x - reach, y - reach, x + reach, y + reach)
        self._brush.ellipse(box, fill=colour)
        if self._owner_brush is not None and part is not None:
            self._owner_brush.ellipse(box, fill=self._own(part))

    def glow(self, x: float, y: float, rx: float, ry: float, colour: Colour, strength: float, part: str | None = None) -> None:
        """A soft spot of light, of shadow or of steam; its inner part belongs to `part`."""
        ((x, y),) = self._place([(x, y)])
        wide, high = rx * self._unit, ry * self._unit
        if wide < 1 or high < 1:
            return
        mask = _glow().resize((round(2 * wide), round(2 * high))).point([min(255, round(v * strength)) for v in range(256)])
        self.picture.paste(colour, (round(x - wide), round(y - high)), mask)
        if self._owner_brush is not None and part is not None:
            self._owner_brush.ellipse((x - wide * 0.6, y - high * 0.6, x + wide * 0.6, y + high * 0.6), fill=self._own(part))

    def texture(self, kind: str, low: Colour, high: Colour, contrast: float = 1, zoom: float = 1) -> Image.Image:
        """A picture-sized texture between two colours: grain, mottle, cloud, ripple or fur."""
        window = max(8, round(UNITS * SUPER / zoom))
        x, y = self.rng.randrange(_BANK), self.rng.randrange(_BANK)
        noise = _bank(kind).crop((x, y, x + window, y + window))
        if window != self.pixels:
            noise = noise.resize((self.pixels, self.pixels), Image.Resampling.BILINEAR)
        shares = [min(1, max(0, 0.5 + (v / 255 - 0.5) * contrast * 1.6)) for v in range(256)]
        bands = [noise.point([round(a + (b - a) * s) for s in shares]) for a, b in zip(low, high, strict=True)]
        return Image.merge("RGB", bands)

    def lit(self, top: Colour, bottom: Colour, grain: float) -> Image.Image:
        """The finished picture in the light of the scene (a colour to multiply with at the top and at the bottom), with grain."""
        shown = ImageChops.multiply(self.picture, self._gradient(top, bottom, (0, 0, self.pixels, self.pixels)))
        shown = shown.reduce(SUPER)
        return ImageChops.add(shown, self._grain(grain), 1, -128)

    def _grain(self, strength: float) -> Image.Image:
        x, y, window = self.rng.randrange(_BANK), self.rng.randrange(_BANK), min(self.size, _BANK)
        noise = _bank("grain").crop((x, y, x + window, y + window)).resize((self.size, self.size))
        noise = noise.point([min(255, max(0, round(128 + (v - 128) * strength))) for v in range(256)])
        return Image.merge("RGB", [noise] * 3)

    def masks(self) -> dict[str, np.ndarray]:
        """Part name to its visible pixels, for the parts that show at all."""
        if self._owners is None:
            return {}
        owners = np.asarray(self._owners)[SUPER // 2 :: SUPER, SUPER // 2 :: SUPER]
        present = np.flatnonzero(np.bincount(owners.ravel(), minlength=len(self._parts)))
        found: dict[str, np.ndarray] = {}
        for owner in present:
            for part in filter(None, self._parts[owner].split("/")):
                found[part] = found[part] | (owners == owner) if part in found else owners == owner
        return dict(sorted(found.items()))
