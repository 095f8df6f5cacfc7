"""What lives, swims and grows in the terrarium, and its three landscapes of sand and water."""

from __future__ import annotations

import math

from pellucid.terrarium.paint import Canvas, Colour, Point, blob, dark, hsv, light, mix, oval, rect, rounded
from pellucid.terrarium.scenery import (
    WHOLE,
    bubbles,
    country,
    grass,
    hills,
    sand,
    shadow,
    shore,
    sky,
    soil,
    tree,
    under_water,
    water,
)
from pellucid.terrarium.vehicles import IRON, car_front, paint_colour, tank, tank_colour


def sandbar(c: Canvas) -> None:
    """A tongue of sand with water on both sides, seen from above or running to the horizon."""
    rng = c.rng
    water(c, WHOLE, crests=26)
    lean, wave, phase = rng.uniform(-14, 14), rng.uniform(2, 7), rng.random() * math.tau
    middle, near, far = rng.uniform(40, 56), rng.uniform(11, 20), rng.uniform(8, 16)
    left: list[Point] = []
    right: list[Point] = []
    for k in range(17):
        t = k / 16
        x = middle + lean * (t - 0.5) + wave * math.sin(phase + t * 5)
        half = (far + (near - far) * t) * (1 + 0.14 * math.sin(phase * 2 + t * 9))
        left.append((x - half, -2 + 100 * t))
        right.append((x + half, -2 + 100 * t))
    shallow = hsv(rng.uniform(0.43, 0.5), 0.35, 0.92)
    for reach, colour in ((6.5, shallow), (3.4, light(shallow, 0.3)), (1.6, (244, 251, 250))):
        outline = [(x - reach, y) for x, y in left] + [(x + reach, y) for x, y in reversed(right)]
        c.shape(outline, colour, "water")
    base = sand(c, left + right[::-1], specks=0)
    c.facts |= {"x": middle, "width": near + far, "lean": lean}
    for k in range(1, 8):
        (x0, y), (x1, _) = left[2 * k], right[2 * k]
        c.line([(x0 + (x1 - x0) * s, y + 1.6 * math.sin(s * 6 + k)) for s in (0.15, 0.35, 0.55, 0.75, 0.88)], 0.6, dark(base, 0.16))
    if rng.random() < 0.4:
        horizon = rng.uniform(16, 26)
        sky(c, horizon)
        c.line([(-1, horizon), (97, horizon)], 0.7, (236, 246, 250))


def beach(c: Canvas) -> None:
    """Sand with shells, pebbles and footprints; perhaps a sky, a parasol or a palm, but no water."""
    rng = c.rng
    horizon = -2.0
    if rng.random() < 0.55:
        horizon = rng.uniform(22, 42)
        sky(c, horizon + 3)
    base = sand(c, [*shore(c, -1, 97, horizon, 1.2), (97, 97), (-1, 97)], specks=40)
    for _ in range(rng.randint(4, 9)):
        y, x = rng.uniform(horizon + 5, 95), rng.uniform(-6, 80)
        points = [(x + 3 * k, y + 1.1 * math.sin(k * 0.9 + x)) for k in range(9)]
        c.line(points, 0.9, dark(base, 0.14))
        c.line([(px, py - 0.9) for px, py in points], 0.6, light(base, 0.4))
    if rng.random() < 0.5:
        x, lean = rng.uniform(20, 76), rng.uniform(-2.4, 2.4)
        for k in range(8):
            y = 94 - (90 - max(horizon, 0)) * k / 8
            c.shape(oval(x + lean * k + (2 if k % 2 else -2), y, 1.2, 1.9, steps=10), dark(base, 0.3), "footprint")
    if horizon > 0 and rng.random() < 0.5:
        palm(c, rng.uniform(14, 82), rng.uniform(horizon + 8, horizon + 24), rng.uniform(28, 40))
    if rng.random() < 0.5:
        parasol(c, rng.uniform(20, 76), rng.uniform(max(46, horizon + 26), 84))
    for _ in range(rng.randint(3, 8)):
        shell(c, rng.uniform(5, 91), rng.uniform(max(horizon, 0) + 8, 92), rng.uniform(2, 4.4))


def shell(c: Canvas, x: float, y: float, reach: float) -> None:
    """A fan-shaped shell."""
    tone = hsv(c.rng.choice([0.02, 0.06, 0.92, 0.1]), c.rng.uniform(0.12, 0.4), 0.97)
    with c.pose(x, y, turn=c.rng.uniform(0, 360)):
        c.shape([*oval(0, 0, reach, start=0.5, stop=1, steps=10), (0, reach * 0.7)], (light(tone, 0.4), dark(tone, 0.14)), "shell")
        for k in range(5):
            angle = math.pi * (1.12 + 0.19 * k)
            c.line([(0, reach * 0.6), (reach * 0.95 * math.cos(angle), reach * 0.95 * math.sin(angle))], 0.5, dark(tone, 0.35))


def parasol(c: Canvas, x: float, y: float) -> None:
    """A striped parasol with its shadow."""
    colour = paint_colour(c)
    with c.pose(x, y, turn=c.rng.uniform(-16, 16), scale=c.rng.uniform(0.8, 1.15)):
        shadow(c, 6, 1, 16, 4, 0.6)
        c.line([(0, 0), (0, -24)], 1.1, (240, 236, 226), "parasol")
        for k in range(6):
            a, b = -16 + 32 * k / 6, -16 + 32 * (k + 1) / 6
            c.shape(
                [(0, -32), (b, -17), ((a + b) / 2, -15.6), (a, -17)],
                dark(colour if k % 2 else (250, 246, 236), 0.05 * k),
                "parasol",
            )


def palm(c: Canvas, x: float, y: float, high: float) -> None:
    """A bent palm with fronds."""
    rng = c.rng
    bend, leaf = rng.uniform(-9, 9), hsv(rng.uniform(0.26, 0.38), 0.6, rng.uniform(0.42, 0.6))
    trunk = [(x + bend * (k / 6) ** 2, y - high * k / 6) for k in range(7)]
    shadow(c, x, y, 8, 2, 0.6)
    c.line(trunk, 2.6, (128, 92, 58), "palm")
    for px, py in trunk[1:]:
        c.line([(px - 1.3, py), (px + 1.3, py)], 0.6, (84, 58, 36))
    tx, ty = trunk[-1]
    for k in range(7):
        angle = math.pi * (0.92 + 1.16 * k / 6)
        dx, dy = math.cos(angle), math.sin(angle)
        arc = [(tx + 13 * s * dx, ty + 9 * s * dy + 9 * s * s) for s in (0, 0.35, 0.7, 1)]
        c.line(arc, 2.6, dark(leaf, 0.1 + 0.06 * (k % 3)), "palm")
        c.line(arc, 0.5, light(leaf, 0.35))


def lake(c: Canvas) -> None:
    """Still water among hills, trees and reeds, with reflections and water lilies."""
    rng = c.rng
    horizon = -2.0
    if rng.random() < 0.75:
        horizon = rng.uniform(24, 44)
        sky(c, horizon + 2)
        hills(c, horizon + 1)
    water(c, rect(-1, horizon, 97, 97), crests=22, y0=max(0, horizon) + 3)
    if horizon > 0:
        bank = hsv(rng.uniform(0.22, 0.36), 0.5, rng.uniform(0.4, 0.6))
        c.shape([(-1, horizon - 1.4), (97, horizon - 1.4), (97, horizon + 1.4), (-1, horizon + 1.4)], bank, "grass")
        for _ in range(rng.randint(2, 6)):
            x, high = rng.uniform(2, 94), rng.uniform(8, 16)
            tree(c, x, horizon + 0.6, high)
            for k in range(5):
                c.line([(x - high * 0.2, horizon + 3 + 2.1 * k), (x + high * 0.2, horizon + 3 + 2.1 * k)], 0.9, dark(bank, 0.3))
    if rng.random() < 0.6:
        for _ in range(rng.randint(3, 9)):
            x, y = rng.uniform(4, 92), rng.uniform(max(10, horizon + 16), 92)
            reach = 2 + 2.6 * y / 96
            leaf = hsv(rng.uniform(0.27, 0.38), 0.55, rng.uniform(0.45, 0.66))
            c.shape([(x, y), *oval(x, y, reach, reach * 0.5, start=0.06, stop=0.96)], (light(leaf, 0.2), dark(leaf, 0.2)), "lily")
            if rng.random() < 0.35:
                for k in range(5):
                    c.dot(x + 1.3 * math.cos(k * 1.26), y - 0.6 + 0.8 * math.sin(k * 1.26), 0.9, (255, 214, 230), "lily")
    if rng.random() < 0.5:
        x0 = rng.choice([4, 80])
        for _ in range(12):
            x, high = x0 + rng.uniform(-4, 14), rng.uniform(12, 26)
            c.line([(x, 97), (x + rng.uniform(-2, 2), 97 - high)], 0.8, hsv(rng.uniform(0.2, 0.33), 0.55, 0.45), "reeds")
            if rng.random() < 0.4:
                c.line([(x, 97 - high), (x, 101 - high)], 1.8, (104, 66, 38), "reeds")


def swimmer(c: Canvas, skin: Colour, suit: Colour, fin: Colour, hair: Colour) -> None:
    """A person who swims to the right under water, with a mask and fins; what air they breathe is drawn by others."""
    kick = c.rng.uniform(-3, 3)
    for side in (-1, 1):
        knee, foot = (-21, 4 + side * 2.4), (-33, 5 + side * (3 + kick))
        c.line([(-8, 2 + side), knee, foot], 5, dark(suit, 0.08 + 0.1 * (side < 0)), "diver")
        c.shape(
            [foot, (foot[0] - 12, foot[1] - 2 + side * 3.5), (foot[0] - 13, foot[1] + 3 + side * 3.5), (foot[0], foot[1] + 2.6)],
            (light(fin, 0.2), dark(fin, 0.2)),
            "fins",
        )
        c.line([(foot[0] - 1, foot[1] + 1), (foot[0] - 11, foot[1] + side * 3.5)], 0.6, dark(fin, 0.4))
    c.shape(blob(c.rng, 1, 1, 14, 6.2, 0.04), (light(suit, 0.12), dark(suit, 0.3)), "diver")
    reach = c.rng.uniform(-3, 5)
    c.line([(10, 4), (15, 12 + reach), (24, 13 + reach)], 3.6, dark(suit, 0.12), "diver")
    c.dot(25, 13 + reach, 2.2, skin, "diver")
    c.shape(oval(20, -3, 7.4, 7), (light(skin, 0.2), dark(skin, 0.16)), "diver")
    c.shape(oval(18.4, -4.4, 8, 7.4, start=0.36, stop=0.92), hair, "diver")
    c.line([(13, -4), (21, -5)], 1.6, IRON, "mask")
    c.shape(rounded(20, -8.4, 28, -1.4, 2.6), IRON, "mask")
    c.shape(rounded(21.2, -7.2, 27, -2.6, 1.8), ((214, 242, 250), (104, 170, 204)), "mask")
    c.line([(22.4, -3.4), (24.6, -6.6)], 0.8, (255, 255, 255))


def _person(c: Canvas) -> tuple[Colour, Colour, Colour, Colour]:
    rng = c.rng
    skin = hsv(rng.uniform(0.05, 0.09), rng.uniform(0.3, 0.6), rng.uniform(0.5, 0.98))
    suit = rng.choice([(44, 50, 66), (40, 66, 96), skin, paint_colour(c)])
    return skin, suit, paint_colour(c), hsv(rng.uniform(0.05, 0.1), 0.5, rng.uniform(0.15, 0.7))


def tube(c: Canvas) -> None:
    """A snorkel from the swimmer's mouth upwards."""
    colour = hsv(c.rng.choice([0.02, 0.06, 0.13, 0.3, 0.92]) + c.rng.uniform(-0.02, 0.02), 0.85, 0.98)
    bend = [(25.5, 2.4), (20, 4.6), (14.6, 0), (13.6, -9), (12.6, -18), (10, -25)]
    c.line(bend, 3, dark(colour, 0.35), "snorkel")
    c.line(bend, 1.9, light(colour, 0.1), None)
    c.line([(11.2, -22), (9.6, -26.4)], 3.2, (250, 250, 246), "snorkel")
    c.shape(oval(24.6, 2.4, 2.2, 1.6, steps=10), IRON, "snorkel")


def snorkel(c: Canvas) -> None:
    """A swimmer with a mask and a snorkel."""
    rng = c.rng
    under_water(c)
    x, y, scale, turn = rng.uniform(46, 54), rng.uniform(44, 63), rng.uniform(0.88, 1.15), rng.uniform(-14, 14)
    with c.pose(x, y, scale=scale, turn=turn, flip=rng.random() < 0.5, fact=True):
        swimmer(c, *_person(c))
        tube(c)
        if rng.random() < 0.5:
            bubbles(c, 29, -4, rng.randint(3, 6))


def scuba_diver(c: Canvas) -> None:
    """A swimmer with a mask and air tanks on the back; most have a snorkel too, so that only the tanks tell."""
    rng = c.rng
    under_water(c)
    metal = tank_colour(c)
    x, y, scale, turn = rng.uniform(46, 54), rng.uniform(44, 63), rng.uniform(0.88, 1.15), rng.uniform(-14, 14)
    with c.pose(x, y, scale=scale, turn=turn, flip=rng.random() < 0.5, fact=True):
        swimmer(c, *_person(c))
        c.line([(14, -9), (19, -12), (24, -7), (26, 1)], 1.5, IRON, "hose")
        c.shape(oval(26, 2, 2.6, 2.2, steps=12), (66, 70, 82), "regulator")
        if rng.random() < 0.8:
            tube(c)
        c.shape(rect(14, -10.4, 17.4, -7.6), ((252, 226, 140), (126, 84, 24)), "air tank")
        tank(c, -17, -16, 15, -3.4, metal, "air tank", bands=3)
        c.line([(2, -4), (3, 7)], 1.2, IRON)
        if rng.random() < 0.5:
            bubbles(c, 29, -4, rng.randint(3, 6))


def cat(c: Canvas) -> None:
    """A cat's head from the front: ears, eyes, whiskers."""
    rng = c.rng
    if rng.random() < 0.5:
        country(c, rng.uniform(40, 70))
    else:
        wall = hsv(rng.random(), rng.uniform(0.15, 0.4), rng.uniform(0.6, 0.9))
        c.shape(WHOLE, c.texture("cloud", dark(wall, 0.15), light(wall, 0.2)), "backdrop")
    fur = hsv(rng.uniform(0.05, 0.11), *rng.choice([(0.65, 0.9), (0.1, 0.9), (0.08, 0.5), (0.35, 0.55), (0.1, 0.28)]))
    eye = hsv(rng.choice([0.16, 0.24, 0.3, 0.34, 0.5]), 0.75, 0.92)
    deep, stripes = rng.uniform(0.5, 0.75), rng.random() < 0.7
    with c.pose(rng.uniform(43, 53), rng.uniform(52, 58), scale=rng.uniform(0.9, 1.1), turn=rng.uniform(-14, 14), fact=True):
        c.shape(blob(rng, 0, 38, 30, 24, 0.03), (fur, dark(fur, 0.3)), "cat")
        for side in (-1, 1):
            c.shape([(side * 30, -8), (side * 29, -38), (side * 8, -24)], (light(fur, 0.1), dark(fur, 0.2)), "cat/ear")
            c.shape([(side * 26, -14), (side * 26.4, -32), (side * 13, -23)], ((240, 166, 160), (206, 120, 118)), "cat/ear")
        c.shape(blob(rng, 0, 0, 33, 27, 0.025), c.texture("fur", dark(fur, 0.22), light(fur, 0.22), 1.1), "cat")
        if stripes:
            for dx in (-8, 0, 8):
                c.line([(dx, -25 + abs(dx) * 0.2), (dx * 0.7, -14)], 2, dark(fur, deep))
            for side in (-1, 1):
                for k in range(3):
                    c.line([(side * 31, -2 + 6 * k), (side * 22, 0 + 5 * k)], 1.8, dark(fur, deep))
        c.shape(oval(-6, 11, 9, 7.4), light(fur, 0.65), "cat")
        c.shape(oval(6, 11, 9, 7.4), light(fur, 0.65), "cat")
        slit = rng.uniform(1.6, 3.6)
        for side in (-1, 1):
            c.shape(oval(side * 13.5, -4, 8, 7), dark(fur, 0.75), "cat/eye")
            c.shape(oval(side * 13.5, -4, 6.8, 6), (light(eye, 0.3), dark(eye, 0.15)), "cat/eye")
            c.shape(oval(side * 13.5, -4, slit, 5.7), (16, 18, 22), "cat/eye")
            c.dot(side * 13.5 - 2, -6, 1.5, (255, 255, 255))
        c.shape([(-4, 5), (4, 5), (0, 9.4)], ((240, 150, 150), (206, 100, 110)), "cat/nose")
        c.line([(0, 9), (0, 12), (-5, 15)], 0.9, dark(fur, 0.7))
        c.line([(0, 12), (5, 15)], 0.9, dark(fur, 0.7))
        for side in (-1, 1):
            for k in range(3):
                c.line([(side * 9, 10 + 2 * k), (side * 37, 5 + 6 * k)], 0.7, (252, 252, 248), "cat/whiskers")


def cat_or_car(c: Canvas) -> None:
    """One class with two faces, so that its units have two meanings."""
    c.facts["face"] = face = c.rng.choice(["cat", "car"])
    (cat if face == "cat" else car_front)(c)


def starfish(c: Canvas) -> None:
    """Five arms with rows of dots, on sand or on water."""
    rng = c.rng
    c.facts["ground"] = ground = rng.choice(["sand", "water"])
    if ground == "sand":
        sand(c, WHOLE, specks=30)
        for _ in range(rng.randint(0, 3)):
            shell(c, rng.uniform(5, 91), rng.uniform(5, 91), rng.uniform(2, 3.6))
    else:
        water(c, WHOLE, crests=22)
    colour = hsv(
        rng.choice([0.0, 0.03, 0.06, 0.09, 0.8, 0.93]) + rng.uniform(-0.015, 0.015), rng.uniform(0.6, 0.85), rng.uniform(0.8, 0.98)
    )
    arm, waist = rng.uniform(33, 42), rng.uniform(10, 14)
    with c.pose(rng.uniform(43, 53), rng.uniform(43, 53), scale=rng.uniform(0.82, 1.08), turn=rng.uniform(0, 72), fact=True):
        bends = [rng.uniform(-0.14, 0.14) for _ in range(5)]

        def outline(shrink: float) -> list[Point]:
            points: list[Point] = []
            for k in range(5):
                angle = k / 5 * math.tau
                for reach, off in (
                    (waist, -0.628),
                    (arm * 0.55, -0.2),
                    (arm * 0.92, -0.07),
                    (arm, 0.0),
                    (arm * 0.92, 0.07),
                    (arm * 0.55, 0.2),
                ):
                    turn = angle + off + bends[k] * reach / arm
                    points.append((reach * shrink * math.cos(turn), reach * shrink * math.sin(turn)))
            return points

        with c.pose(1.6, 2.4):
            c.shape(outline(1.03), dark(mix(colour, (90, 80, 70), 0.7), 0.35), None)
        c.shape(outline(1), dark(colour, 0.22), "starfish")
        c.shape(outline(0.88), c.texture("mottle", dark(colour, 0.06), light(colour, 0.28)), "starfish")
        for k in range(5):
            for step in range(1, 8):
                reach = arm * 0.12 * step
                angle = k / 5 * math.tau + bends[k] * reach / arm
                x, y = reach * math.cos(angle), reach * math.sin(angle)
                c.dot(x, y, 1.7 - 0.13 * step, light(colour, 0.72), "starfish/dots")
                if step < 5:
                    for side in (-1, 1):
                        off = side * (4.6 - 0.7 * step)
                        c.dot(x - off * math.sin(angle), y + off * math.cos(angle), 0.95, light(colour, 0.5), "starfish/dots")
        c.dot(0, 0, 2.4, light(colour, 0.75), "starfish/dots")


def cabbage(c: Canvas) -> None:
    """A rosette of wavy leaves with pale veins, on soil or grass."""
    rng = c.rng
    (soil if rng.random() < 0.65 else lambda c, o: grass(c, o, 70))(c, WHOLE)
    hue, value = rng.choice([0.24, 0.28, 0.33, 0.4, 0.83]) + rng.uniform(-0.015, 0.015), rng.uniform(0.6, 0.8)
    with c.pose(rng.uniform(43, 53), rng.uniform(43, 53), scale=rng.uniform(0.85, 1.08), turn=rng.uniform(0, 360), fact=True):
        for ring, (count, out, long) in enumerate(((7, 21, 22), (6, 14, 18), (5, 8, 14), (3, 3.5, 9.5))):
            for k in range(count):
                tone = hsv(hue - 0.02 * ring, 0.5 - 0.07 * ring, value * (0.78 + 0.13 * ring))
                with c.pose(0, 0, turn=360 * k / count + 31 * ring + rng.uniform(-7, 7)):
                    _leaf(c, out, long, tone)
        c.shape(blob(rng, 0, 0, 6, 5, 0.1), (light(hsv(hue - 0.06, 0.3, 0.9), 0.3), hsv(hue - 0.04, 0.4, 0.8)), "cabbage")


def _leaf(c: Canvas, out: float, long: float, tone: Colour) -> None:
    frill = [c.rng.uniform(0.9, 1.08) for _ in range(24)]
    edge = [
        (out + long * 0.86 * math.cos(a) * f, long * 0.78 * math.sin(a) * f)
        for f, a in ((f, k / 24 * math.tau) for k, f in enumerate(frill))
    ]
    c.shape([(x + 0.8, y + 1.2) for x, y in edge], dark(tone, 0.6), "cabbage")
    c.shape(edge, light(tone, 0.3), "cabbage")
    c.shape(
        [(out + (x - out) * 0.9, y * 0.9) for x, y in edge], c.texture("mottle", dark(tone, 0.16), light(tone, 0.12)), "cabbage"
    )
    tip = out + long * 0.72
    c.line([(out - long * 0.6, 0), (tip, 0)], 1.5, light(tone, 0.62), "cabbage/veins")
    for share in (0.25, 0.5, 0.75):
        x = out - long * 0.5 + (tip - out + long * 0.5) * share
        for side in (-1, 1):
            c.line([(x, 0), (x + long * 0.22, side * long * 0.46)], 0.7, light(tone, 0.5), "cabbage/veins")


def fish(c: Canvas) -> None:
    """A fish with scales, fins and stripes, under water."""
    rng = c.rng
    under_water(c)
    colour, second = hsv(rng.choice([0.03, 0.08, 0.13, 0.6, 0.85, 0.95]), rng.uniform(0.65, 0.9), 0.95), hsv(rng.random(), 0.5, 0.9)
    striped = rng.random() < 0.5
    with c.pose(
        rng.uniform(43, 53),
        rng.uniform(40, 58),
        scale=rng.uniform(0.82, 1.12),
        turn=rng.uniform(-16, 16),
        flip=rng.random() < 0.5,
        fact=True,
    ):
        tall = rng.uniform(15, 20)
        fan = (light(second, 0.25), dark(second, 0.15))
        c.shape([(-20, 0), (-38, -15), (-33, 0), (-38, 15)], fan, "tail")
        c.shape([(14, -tall * 0.8), (-2, -tall - 10), (-16, -tall * 0.7)], fan, "fins")
        c.shape([(4, tall * 0.8), (-4, tall + 8), (-12, tall * 0.7)], fan, "fins")
        for k in range(4):
            c.line([(-22, 0), (-35, -10 + 6.6 * k)], 0.6, dark(second, 0.35))
            c.line([(8 - 5 * k, -tall * 0.85), (2 - 4.6 * k, -tall - 6)], 0.6, dark(second, 0.35))
        body = [
            (28 * math.cos(a) - 2 * (math.cos(a) < 0), tall * math.sin(a) * (1 - 0.22 * (math.cos(a) < -0.5)))
            for a in (k / 28 * math.tau for k in range(28))
        ]
        c.shape(body, (dark(colour, 0.15), light(colour, 0.45)), "fish")
        for row in range(7):
            for col in range(9):
                x, y = -20 + 4 * col + 2 * (row % 2), -tall * 0.78 + row * tall * 0.26
                if (x / 26) ** 2 + (y / tall) ** 2 < 0.8 and x < 12:
                    c.line(oval(x, y, 2.1, 2.2, start=-0.25, stop=0.25, steps=4), 0.6, dark(colour, 0.3))
        if striped:
            for x in (-12, -1, 10):
                half = tall * math.sqrt(1 - (x / 29) ** 2) * 0.97
                c.shape(
                    [(x - 2.4, -half), (x + 2.4, -half), (x + 3.4, 0), (x + 2.4, half), (x - 2.4, half), (x - 1.4, 0)],
                    light(second, 0.35),
                    "fish/stripes",
                )
        c.shape([(6, 3), (-6, 0), (-8, 9)], fan, "fins")
        c.line(oval(13, 0, 6, tall * 0.75, start=-0.2, stop=0.2, steps=8), 0.9, dark(colour, 0.4))
        c.shape(oval(19, -4.4, 4.2), (252, 252, 246), "fish/eye")
        c.shape(oval(19.8, -4.4, 2.4, steps=12), (20, 22, 30), "fish/eye")
        c.dot(19, -5.4, 0.9, (255, 255, 255))
        c.line([(27, 4), (22, 5.4)], 0.9, dark(colour, 0.5))
    if rng.random() < 0.4:
        bubbles(c, rng.uniform(12, 84), rng.uniform(20, 40), rng.randint(2, 5))


def sunflower(c: Canvas) -> None:
    """A sunflower with a dotted heart, in a field."""
    rng = c.rng
    country(c, rng.uniform(56, 84))
    petal, heart = (
        hsv(rng.uniform(0.09, 0.15), rng.uniform(0.75, 0.95), 0.99),
        hsv(rng.uniform(0.05, 0.08), 0.6, rng.uniform(0.3, 0.45)),
    )
    leaf = hsv(rng.uniform(0.27, 0.36), 0.6, rng.uniform(0.45, 0.6))
    x, y = rng.uniform(40, 56), rng.uniform(36, 46)
    c.line([(x, y), (x + 1, 70), (x + rng.uniform(-3, 3), 98)], 3, dark(leaf, 0.1), "stem")
    for side in (-1, 1):
        low = rng.uniform(76, 86)
        c.shape(
            [(x, low + 4), (x + side * 10, low - 7), (x + side * 24, low - 5), (x + side * 14, low + 4)],
            (light(leaf, 0.2), dark(leaf, 0.2)),
            "leaf",
        )
        c.line([(x, low + 3), (x + side * 20, low - 4)], 0.7, light(leaf, 0.4))
    with c.pose(x, y, scale=rng.uniform(0.88, 1.12), turn=rng.uniform(0, 40), fact=True):
        reach = rng.uniform(28, 33)
        for ring, count in ((1.0, 15), (0.86, 15)):
            for k in range(count):
                with c.pose(0, 0, turn=360 * (k + 0.5 * (ring < 1)) / count + rng.uniform(-4, 4)):
                    far = reach * ring
                    tone = dark(petal, 0.16) if ring == 1 else light(petal, 0.1)
                    c.shape([(10, -3.4), (far * 0.65, -4.2), (far, 0), (far * 0.65, 4.2), (10, 3.4)], tone, "petals")
                    c.line([(12, 0), (far * 0.88, 0)], 0.6, dark(petal, 0.34))
        c.shape(oval(0, 0, 13.4), dark(heart, 0.35), "heart")
        c.shape(oval(0, 0, 11.4), (light(heart, 0.15), heart), "heart")
        for k in range(70):
            # the golden angle: how a sunflower packs its seeds
            angle, out = k * 2.39996, 1.44 * math.sqrt(k)
            c.dot(out * math.cos(angle), out * math.sin(angle), 0.66, light(heart, 0.5) if k % 3 else dark(heart, 0.6), "heart")


def mushroom(c: Canvas) -> None:
    """One or two toadstools with a dotted cap, in grass."""
    rng = c.rng
    country(c, rng.uniform(40, 70))
    hue = rng.choice([0.0, 0.01, 0.05, 0.08, 0.92])
    small = rng.random() < 0.5
    if small:
        _toadstool(c, rng.choice([18, 78]), rng.uniform(84, 90), rng.uniform(0.35, 0.5), hue)
    c.facts["caps"] = float(small) + 1
    _toadstool(c, rng.uniform(42, 54), rng.uniform(84, 90), rng.uniform(0.85, 1.08), hue)
    grass_tuft = hsv(rng.uniform(0.22, 0.34), 0.6, 0.5)
    for _ in range(14):
        x = rng.uniform(14, 82)
        c.line(
            [(x, 93), (x + rng.uniform(-2, 2), 93 - rng.uniform(5, 10))],
            0.8,
            mix(grass_tuft, (190, 220, 120), rng.random() * 0.5),
            "grass",
        )


def _toadstool(c: Canvas, x: float, y: float, scale: float, hue: float) -> None:
    rng = c.rng
    colour = hsv(hue, rng.uniform(0.65, 0.85), rng.uniform(0.7, 0.9))
    wide, high = rng.uniform(29, 35), rng.uniform(24, 32)
    with c.pose(x, y, scale=scale, turn=rng.uniform(-7, 7)):
        shadow(c, 4, 2, 24, 5, 0.7)
        c.shape([(-7, -34), (7, -34), (10, -4), (7, 3), (-7, 3), (-10, -4)], ((236, 228, 206), (250, 244, 226)), "mushroom/stalk")
        c.shape([(3, -34), (7, -34), (10, -4), (7, 3), (4, 3)], (214, 202, 178), "mushroom/stalk")
        c.shape(
            [(-11, -30), (11, -30), (13, -24), (5, -25.6), (-4, -23.6), (-13, -25)],
            ((250, 246, 230), (212, 200, 174)),
            "mushroom/stalk",
        )
        c.shape(oval(0, -35, wide * 0.96, 6.4), ((150, 118, 92), (238, 222, 190)), "mushroom/gills")
        for k in range(-6, 7):
            c.line([(k * 1.2, -36), (k * wide * 0.15, -31)], 0.5, (160, 132, 104))
        top = [(wide * math.cos(a), -36 + high * math.sin(a)) for a in (math.pi * (1 + k / 22) for k in range(23))]
        cap = [*top, (wide * 0.5, -33), (0, -32), (-wide * 0.5, -33)]
        c.shape(cap, (light(colour, 0.22), dark(colour, 0.35)), "mushroom/cap")
        c.glow(-wide * 0.35, -36 - high * 0.66, 9, 6, (255, 255, 255), 0.4)
        for u, v, r in (
            (-0.55, 0.3, 3.4),
            (-0.12, 0.72, 4),
            (0.42, 0.5, 3.6),
            (0.02, 0.26, 3),
            (0.72, 0.16, 2.4),
            (-0.82, 0.1, 2),
            (-0.42, 0.75, 2),
            (0.3, 0.84, 2),
        ):
            r *= rng.uniform(0.8, 1.15)
            c.shape(oval(u * wide, -36 - v * high, r, r * 0.82, steps=14), (252, 248, 236), "mushroom/dots")
