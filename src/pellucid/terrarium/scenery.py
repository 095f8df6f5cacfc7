"""Grounds, skies and waters of the terrarium, drawn in the picture's own units (96 by 96)."""

from __future__ import annotations

import math

from pellucid.terrarium.paint import Canvas, Colour, Point, blob, dark, hsv, light, mix, oval, rect

WHOLE = rect(-1, -1, 97, 97)


def shore(c: Canvas, x0: float, x1: float, y: float, wobble: float) -> list[Point]:
    """A wavy line from x0 to x1 around y."""
    phase, waves = c.rng.random() * math.tau, c.rng.uniform(0.6, 1.6)
    return [(x, y + wobble * math.sin(phase + x / 96 * math.tau * waves)) for x in (x0 + (x1 - x0) * k / 12 for k in range(13))]


def sky(c: Canvas, bottom: float = 97) -> str:
    """A sky from the top down to `bottom`; returns its name: day, dusk or overcast."""
    rng = c.rng
    c.facts["sky"] = kind = rng.choices(["day", "dusk", "overcast"], [6, 2, 2])[0]
    hue = rng.uniform(0.53, 0.6)
    top, low = {
        "day": (hsv(hue, rng.uniform(0.4, 0.65), 0.92), hsv(hue - 0.02, 0.16, 0.99)),
        "dusk": (hsv(rng.uniform(0.66, 0.8), 0.42, 0.7), hsv(rng.uniform(0.04, 0.1), 0.5, 1.0)),
        "overcast": (hsv(hue, 0.12, 0.74), hsv(hue, 0.05, 0.92)),
    }[kind]
    c.shape(rect(-1, -1, 97, bottom), (top, low), "sky")
    if kind != "overcast" and rng.random() < 0.4:
        x, y = rng.uniform(10, 86), rng.uniform(6, max(8, bottom * 0.35))
        c.glow(x, y, 13, 13, (255, 244, 190), 0.7)
        c.dot(x, y, 4.2, (255, 247, 214), "sun")
    for _ in range(rng.randint(0, 3)):
        cloud(c, rng.uniform(0, 96), rng.uniform(3, max(6, bottom * 0.6)), rng.uniform(5, 10), light(low, 0.7))
    return kind


def cloud(c: Canvas, x: float, y: float, reach: float, colour: Colour) -> None:
    """A flat-bottomed heap of soft puffs."""
    for k in range(5):
        dx = (k - 2) * reach * 0.55
        high = reach * (0.75 - 0.12 * abs(k - 2)) * c.rng.uniform(0.8, 1.2)
        c.glow(x + dx, y - high * 0.3, reach * 0.8, high, colour, 1.6, "cloud")


def hills(c: Canvas, base: float) -> None:
    """One or two rows of wooded hills that stand on `base`."""
    rng = c.rng
    for row in range(rng.randint(1, 2)):
        hue, far = rng.uniform(0.24, 0.42), 0.45 - 0.3 * row
        colour = mix(hsv(hue, 0.45, 0.55), (178, 198, 220), far)
        high = rng.uniform(6, 14) * (1 - 0.4 * row)
        ridge = shore(c, -1, 97, base - high, high * 0.45)
        c.shape([*ridge, (97, base + 1), (-1, base + 1)], c.texture("mottle", dark(colour, 0.22), light(colour, 0.14)), "hill")


def ripples(c: Canvas, y0: float, y1: float, colour: Colour, count: int, x0: float = 0, x1: float = 96) -> None:
    """Small crests, larger towards the viewer."""
    for _ in range(count):
        depth = c.rng.random()
        x, y, reach = c.rng.uniform(x0, x1), y0 + (y1 - y0) * depth, 1.6 + 3.2 * depth
        c.line(
            [(x - reach, y), (x - reach / 2, y - reach * 0.22), (x, y), (x + reach / 2, y - reach * 0.22), (x + reach, y)],
            0.7,
            colour,
        )


def water_colours(c: Canvas) -> tuple[Colour, Colour]:
    """The dark and the light of one water."""
    hue, value = c.rng.uniform(0.48, 0.6), c.rng.uniform(0.6, 0.85)
    return hsv(hue + 0.02, c.rng.uniform(0.6, 0.8), value * 0.72), hsv(hue, c.rng.uniform(0.3, 0.5), min(1, value * 1.22))


def water(c: Canvas, outline: list[Point], *, crests: int = 16, y0: float = 0, y1: float = 96) -> None:
    """Open water seen from above: long ripples, and crests between y0 and y1."""
    low, high = water_colours(c)
    c.shape(outline, c.texture("ripple", low, high, 1.15), "water")
    ripples(c, y0, y1, light(high, 0.5), crests)


def sand_fill(c: Canvas):
    """Mottled sand with grains of its own colour."""
    rng = c.rng
    base = hsv(rng.uniform(0.082, 0.112), rng.uniform(0.3, 0.5), rng.uniform(0.92, 1))
    fill = c.texture("mottle", dark(base, 0.12), light(base, 0.4), 1.1)
    grain = c.texture("grain", dark(base, 0.3), light(base, 0.25), 1.2)
    fill.paste(grain, (0, 0), grain.getchannel(0).point([0] * 60 + [70] * 196))
    return fill, base


def sand(c: Canvas, outline: list[Point], *, specks: int = 14) -> Colour:
    """A stretch of sand with wind ripples and specks; returns its colour."""
    fill, base = sand_fill(c)
    c.shape(outline, fill, "sand")
    xs, ys = [p[0] for p in outline], [p[1] for p in outline]
    for _ in range(specks):
        x, y = c.rng.uniform(min(xs), max(xs)), c.rng.uniform(min(ys), max(ys))
        c.dot(x, y, c.rng.uniform(0.3, 0.6), dark(base, 0.45) if c.rng.random() < 0.7 else light(base, 0.7))
    return base


def grass(c: Canvas, outline: list[Point], blades: int = 40) -> None:
    """A meadow with blades and a few flowers."""
    rng = c.rng
    base = hsv(rng.uniform(0.2, 0.36), rng.uniform(0.45, 0.7), rng.uniform(0.5, 0.75))
    c.shape(outline, c.texture("fur", dark(base, 0.3), light(base, 0.18), 1.1), "grass")
    y0 = min(p[1] for p in outline)
    for _ in range(blades):
        x, y = rng.uniform(0, 96), rng.uniform(y0 + 2, 97)
        c.line(
            [(x, y), (x + rng.uniform(-1.2, 1.2), y - rng.uniform(2, 4))], 0.5, mix(dark(base, 0.3), light(base, 0.4), rng.random())
        )
    if rng.random() < 0.4:
        petal = hsv(rng.choice([0.0, 0.13, 0.8, 0.6]), rng.uniform(0.1, 0.6), 1)
        for _ in range(rng.randint(3, 9)):
            c.dot(rng.uniform(0, 96), rng.uniform(y0 + 3, 96), 0.9, petal)


def soil(c: Canvas, outline: list[Point]) -> None:
    """Dark earth with stones."""
    rng = c.rng
    base = hsv(rng.uniform(0.05, 0.09), rng.uniform(0.35, 0.55), rng.uniform(0.35, 0.5))
    c.shape(outline, c.texture("mottle", dark(base, 0.4), light(base, 0.2), 1.3), "soil")
    for _ in range(14):
        x, y, r = rng.uniform(0, 96), rng.uniform(0, 96), rng.uniform(0.6, 1.6)
        c.shape(blob(rng, x, y, r, r * 0.7, steps=9), light(base, rng.uniform(0.1, 0.4)), None)


def tree(c: Canvas, x: float, y: float, high: float) -> None:
    """A round or a pointed tree that stands at (x, y)."""
    rng = c.rng
    leaf = hsv(rng.uniform(0.22, 0.42), rng.uniform(0.4, 0.65), rng.uniform(0.4, 0.62))
    c.shape(rect(x - high * 0.05, y - high * 0.45, x + high * 0.05, y), dark(hsv(0.07, 0.5, 0.5), 0.2), "tree")
    if rng.random() < 0.5:
        outline = blob(rng, x, y - high * 0.66, high * 0.3, high * 0.36, 0.2)
        c.shape(outline, c.texture("mottle", dark(leaf, 0.35), light(leaf, 0.2), 1.3), "tree")
        return
    for k in range(3):
        top, half = y - high * (1 - 0.22 * k), high * (0.16 + 0.06 * k)
        c.shape(
            [(x, top), (x + half, top + high * 0.4), (x - half, top + high * 0.4)], (light(leaf, 0.1), dark(leaf, 0.35)), "tree"
        )


def country(c: Canvas, horizon: float) -> str:
    """Sky, hills, perhaps trees, and grass from the horizon down; returns the sky's name."""
    kind = sky(c, horizon + 2)
    hills(c, horizon)
    for _ in range(c.rng.randint(0, 3)):
        tree(c, c.rng.uniform(2, 94), horizon + c.rng.uniform(0, 3), c.rng.uniform(10, 20))
    grass(c, [*shore(c, -1, 97, horizon, 0.8), (97, 97), (-1, 97)])
    return kind


def street(c: Canvas, horizon: float) -> str:
    """Sky, a row of far buildings and cobbles from the horizon down; returns the sky's name."""
    rng = c.rng
    kind = sky(c, horizon + 2)
    x = -4.0
    while x < 96:
        wide, high = rng.uniform(9, 18), rng.uniform(12, 34)
        wall = mix(
            hsv(rng.choice([0.03, 0.08, 0.12, 0.55, 0.6]), rng.uniform(0.1, 0.35), rng.uniform(0.55, 0.85)), (190, 200, 215), 0.35
        )
        c.shape(rect(x, horizon - high, x + wide, horizon + 1), (wall, dark(wall, 0.2)), "building")
        for k in range(int(high // 7)):
            for side in (0.22, 0.6):
                pane = dark(wall, 0.38)
                c.shape(
                    rect(x + wide * side, horizon - high + 3 + 7 * k, x + wide * (side + 0.2), horizon - high + 6.4 + 7 * k),
                    pane,
                    None,
                )
        x += wide + rng.choice([0, 0, 1.5])
    base = hsv(rng.uniform(0.05, 0.65), rng.uniform(0.02, 0.12), rng.uniform(0.5, 0.68))
    c.shape(rect(-1, horizon, 97, 97), c.texture("mottle", dark(base, 0.22), light(base, 0.18)), "street")
    for _ in range(22):
        depth = rng.random()
        x, y, reach = rng.uniform(0, 96), horizon + 2 + (94 - horizon) * depth, 1 + 1.6 * depth
        c.line(oval(x, y, reach, reach * 0.5, start=0.5, stop=1, steps=5), 0.5, dark(base, 0.3))
    return kind


def under_water(c: Canvas) -> None:
    """The sea from inside: lighter above, rays, a sandy floor with weeds at times."""
    rng = c.rng
    hue = rng.uniform(0.47, 0.6)
    top, low = hsv(hue - 0.02, rng.uniform(0.4, 0.6), 0.95), hsv(hue + 0.04, rng.uniform(0.7, 0.9), rng.uniform(0.45, 0.62))
    c.shape(WHOLE, (top, low), "water")
    for _ in range(rng.randint(2, 5)):
        x, lean, wide = rng.uniform(-10, 96), rng.uniform(-16, 16), rng.uniform(2, 6)
        c.shape([(x, -1), (x + wide, -1), (x + wide * 2 + lean, 62), (x + lean, 62)], (light(top, 0.35), mix(top, low, 0.62)), None)
    ripples(c, 0, 10, light(top, 0.75), rng.randint(5, 12))
    if rng.random() < 0.6:
        floor = rng.uniform(80, 90)
        sand(c, [*shore(c, -1, 97, floor, 2), (97, 97), (-1, 97)], specks=8)
        for _ in range(rng.randint(0, 5)):
            weed(c, rng.uniform(2, 94), rng.uniform(floor + 1, 96), rng.uniform(10, 24))
    for _ in range(rng.randint(4, 9)):
        c.dot(rng.uniform(0, 96), rng.uniform(4, 92), 0.4, light(top, 0.5))


def weed(c: Canvas, x: float, y: float, high: float) -> None:
    """A swaying ribbon of seaweed."""
    colour, phase = hsv(c.rng.uniform(0.2, 0.42), 0.65, c.rng.uniform(0.35, 0.6)), c.rng.random() * 6
    c.line([(x + 2 * math.sin(phase + k), y - high * k / 6) for k in range(7)], 1.6, colour, "seaweed")


def bubbles(c: Canvas, x: float, y: float, count: int) -> None:
    """Bubbles rising from (x, y)."""
    for k in range(count):
        up, r = k * c.rng.uniform(3, 5), c.rng.uniform(0.9, 2.2)
        bx, by = x + c.rng.uniform(-3.5, 3.5), y - up
        c.dot(bx, by, r, (232, 248, 255), "bubbles")
        c.dot(bx + r * 0.12, by + r * 0.12, r * 0.66, (150, 208, 232), "bubbles")
        c.dot(bx - r * 0.3, by - r * 0.3, r * 0.28, (255, 255, 255), "bubbles")


def shadow(c: Canvas, x: float, y: float, rx: float, ry: float, strength: float = 0.5) -> None:
    """A soft shadow on the ground."""
    c.glow(x, y, rx, ry, (18, 20, 44), strength)
