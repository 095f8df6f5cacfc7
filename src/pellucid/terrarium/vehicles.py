"""What people built: boats, trams, houses, engines, and the parts that they share (windows, wheels, tanks)."""

from __future__ import annotations

import math

from pellucid.terrarium.paint import Canvas, Colour, dark, hsv, light, mix, oval, rect, rounded
from pellucid.terrarium.scenery import country, hills, shadow, shore, sky, street, water

METAL: Colour = (176, 184, 194)
IRON: Colour = (46, 48, 58)


def paint_colour(c: Canvas) -> Colour:
    """A strong paint: red, orange, yellow, green, teal, blue or purple."""
    return hsv(
        c.rng.choice([0.0, 0.02, 0.07, 0.13, 0.33, 0.48, 0.6, 0.8]) + c.rng.uniform(-0.02, 0.02),
        c.rng.uniform(0.6, 0.85),
        c.rng.uniform(0.6, 0.88),
    )


def window(
    c: Canvas, x0: float, y0: float, x1: float, y1: float, *, within: str = "", lit: bool = False, bars: bool = True
) -> None:
    """A framed window: lit from inside or reflecting the sky."""
    part = f"{within}/window" if within else "window"
    frame = min(x1 - x0, y1 - y0) * 0.14
    c.shape(rect(x0 - frame, y0 - frame, x1 + frame, y1 + frame), (244, 240, 228), part)
    glass = ((255, 236, 150), (250, 190, 84)) if lit else ((96, 138, 176), (176, 214, 232))
    c.shape(rect(x0, y0, x1, y1), glass, part)
    if not lit:
        wide = x1 - x0
        c.shape(
            [(x0 + wide * 0.2, y1), (x0 + wide * 0.55, y0), (x0 + wide * 0.8, y0), (x0 + wide * 0.45, y1)], (206, 232, 242), None
        )
    if bars:
        c.line([((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1)], frame * 0.8, (236, 230, 214))
        c.line([(x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2)], frame * 0.8, (236, 230, 214))


def wheel(
    c: Canvas, x: float, y: float, radius: float, colour: Colour, *, spokes: int = 8, turn: float = 0, tyre: float = 0.16
) -> None:
    """A spoked wheel seen from the side."""
    c.shape(oval(x, y, radius), IRON, "wheel")
    c.shape(oval(x, y, radius * (1 - tyre)), (light(colour, 0.25), dark(colour, 0.15)), "wheel")
    c.shape(oval(x, y, radius * (0.86 - tyre)), dark(colour, 0.62), "wheel")
    for k in range(spokes):
        angle = turn + k / spokes * math.tau
        c.line(
            [(x, y), (x + radius * (0.9 - tyre) * math.cos(angle), y + radius * (0.9 - tyre) * math.sin(angle))],
            radius * 0.13,
            light(colour, 0.2),
        )
    c.shape(oval(x, y, radius * 0.24, steps=12), light(colour, 0.3), "wheel")
    c.shape(oval(x, y, radius * 0.1, steps=8), IRON, "wheel")


def tank(c: Canvas, x0: float, y0: float, x1: float, y1: float, colour: Colour, part: str, bands: int = 3) -> None:
    """A lying steel cylinder with a shine and riveted bands: a boiler, or a diver's air tank.

    Both are drawn alike and in the same colours, so that a network meets one feature with two uses.
    """
    part, high = f"{part}/cylinder", y1 - y0
    c.shape(rounded(x0, y0, x1, y1, high * 0.42), dark(colour, 0.5), part)
    for k in range(7):
        share = (k + 0.5) / 7
        shine = math.exp(-(((share - 0.3) / 0.2) ** 2))
        tone = mix(dark(colour, 0.55 * share), (255, 255, 250), 0.7 * shine)
        inset = high * 0.42 * (1 - math.sqrt(max(0, 1 - (2 * share - 1) ** 2)))
        c.shape(rect(x0 + inset, y0 + high * k / 7, x1 - inset, y0 + high * (k + 1) / 7), tone, None)
    for k in range(bands):
        x, half = x0 + (x1 - x0) * (k + 0.8) / (bands + 0.6), high * 0.065
        c.shape(rect(x - half, y0, x + half, y1), ((252, 226, 140), (126, 84, 24)), part)
        for row in range(4):
            c.dot(x, y0 + high * (row + 0.5) / 4, high * 0.04, (74, 48, 16))


def tank_colour(c: Canvas) -> Colour:
    """Steel, or paint: boilers and air tanks come in the same colours."""
    return c.rng.choice([METAL, (92, 104, 120), paint_colour(c)])


def lit(c: Canvas, kind: str) -> bool:
    """Whether the lights are on: at dusk mostly."""
    return c.rng.random() < (0.8 if kind == "dusk" else 0.25)


def puffs(c: Canvas, x: float, y: float, count: int, lean: float) -> None:
    """Steam that rises from (x, y), spreads and leans."""
    for k in range(count):
        grow = 3.2 + 1.5 * k
        px, py = x + lean * k * (1 + 0.16 * k) + c.rng.uniform(-1, 1), y - 3.6 * k
        c.glow(px + 0.6, py + 1, grow * 1.08, grow, (150, 158, 176), 1.2, "steam")
        c.glow(px, py, grow, grow * 0.92, (250, 250, 252), 1.7, "steam")


def fireboat(c: Canvas) -> None:
    """A boat with a cabin, windows, a crane and water cannons, on water."""
    rng = c.rng
    horizon = rng.uniform(44, 56)
    kind = sky(c, horizon + 3)
    if rng.random() < 0.6:
        hills(c, horizon + 1)
    water(c, [*shore(c, -1, 97, horizon, 0.6), (97, 97), (-1, 97)], y0=horizon + 2)
    hull, lights = hsv(rng.choice([0.0, 0.0, 0.03, 0.98, 0.6]), 0.8, rng.uniform(0.62, 0.85)), lit(c, kind)
    with c.pose(
        rng.uniform(43, 53),
        rng.uniform(62, 70),
        scale=rng.uniform(0.85, 1.1),
        turn=rng.uniform(-4, 4),
        flip=rng.random() < 0.5,
        fact=True,
    ):
        if rng.random() < 0.75:
            reach = rng.uniform(10, 16)
            for k in range(9):
                t = k / 8
                c.glow(24 + reach * t * 1.4, -17 - 26 * t + 34 * t * t, 1.8 + 3.2 * t, 1.8 + 2.6 * t, (236, 248, 255), 1.6, "spray")
        c.line([(-13, -10), (-33, -38)], 1.3, (226, 168, 40), "crane")
        c.line([(-9, -10), (-33, -38)], 1.3, (226, 168, 40), "crane")
        for k in range(1, 7):
            t, s = k / 7, (k + 0.6) / 7
            c.line([(-13 - 20 * t, -10 - 28 * t), (-9 - 24 * s, -10 - 28 * s)], 0.8, (190, 132, 24), "crane")
        c.line([(-33, -38), (-33, -24)], 0.6, IRON, "crane")
        c.shape(oval(-33, -22.6, 1.6), IRON, "crane")
        c.shape(rect(-17, -13, -6, -6), ((240, 190, 60), (176, 118, 20)), "crane")
        c.shape(rect(11, -26, 17, -12), (light(hull, 0.2), dark(hull)), "boat/funnel")
        c.shape(rect(11, -23, 17, -20), (245, 240, 230), None)
        c.shape(rect(-5, -17, 22, -5), ((250, 248, 240), (196, 198, 202)), "boat")
        c.shape(rect(-2, -26, 10, -17), ((250, 248, 240), (206, 206, 206)), "boat")
        c.shape(rect(-4, -28, 12, -26), dark(hull, 0.1), "boat")
        for k in range(2):
            window(c, 0 + 5 * k, -24, 3.6 + 5 * k, -19.4, within="boat", lit=lights, bars=False)
        for k in range(4):
            window(c, -2.6 + 6 * k, -14, 1 + 6 * k, -9.6, within="boat", lit=lights, bars=False)
        c.line([(22, -8), (26, -16)], 1.8, (200, 40, 36), "boat")
        c.shape([(-37, -7), (36, -9), (40, -11), (31, 7), (-31, 7)], (light(hull, 0.12), dark(hull, 0.4)), "boat")
        c.line([(-36, -4), (36, -6)], 1.3, (250, 246, 236))
        for k in range(6):
            c.dot(-26 + 10 * k, 1, 1.5, dark(hull, 0.55))
        c.shape([(-33, 4), (33, 4), (31, 8), (-31, 8)], dark(hull, 0.6), "boat")
    water_line(c, 66 + 6)


def water_line(c: Canvas, y: float) -> None:
    """Foam along a hull."""
    for _ in range(9):
        x, dy = c.rng.uniform(6, 88), c.rng.uniform(-1, 3)
        c.line([(x - 4, y + dy), (x, y + dy - 0.9), (x + 4, y + dy)], 0.9, (232, 246, 250), "water")


def rails(c: Canvas, y: float, *, sleepers: bool) -> None:
    """Two rails across the picture, with sleepers in a bed of gravel or without."""
    if sleepers:
        c.shape(rect(-60, y - 1, 60, y + 6), c.texture("grain", (92, 84, 78), (160, 150, 140)), "rails")
        for k in range(21):
            c.shape(rect(-60 + 6 * k, y, -57 + 6 * k, y + 5), (98, 66, 42), "rails")
    for dy in (0.4, 4.2):
        c.line([(-60, y + dy), (60, y + dy)], 1.2, (200, 206, 214), "rails")
        c.line([(-60, y + dy + 0.9), (60, y + dy + 0.9)], 0.6, (70, 66, 70), "rails")


def streetcar(c: Canvas) -> None:
    """A tram with a row of windows, wheels, rails and a wire."""
    rng = c.rng
    kind = street(c, rng.uniform(56, 66))
    colour, cream, lights = paint_colour(c), (246, 236, 208), lit(c, kind)
    with c.pose(
        rng.uniform(45, 51),
        rng.uniform(54, 62),
        scale=rng.uniform(0.92, 1.12),
        turn=rng.uniform(-4, 4),
        flip=rng.random() < 0.5,
        fact=True,
    ):
        rails(c, 20, sleepers=False)
        shadow(c, 0, 22, 46, 6, 0.7)
        c.line([(-60, -37), (60, -37)], 0.6, IRON, "wire")
        c.line([(6, -24), (-3, -31), (6, -37)], 1, IRON, "pantograph")
        c.line([(1, -37), (11, -37)], 1.2, IRON, "pantograph")
        for x in (-23, -12, 12, 23):
            wheel(c, x, 17.4, 4.4, METAL, spokes=6, turn=rng.random(), tyre=0.1)
        c.shape(rounded(-38, -22, 38, 16, 5), (light(colour, 0.1), dark(colour, 0.35)), "streetcar")
        c.shape(rounded(-37, -17, 37, -1, 2), ((255, 250, 228), cream), "streetcar")
        c.shape(rounded(-39, -24, 39, -20, 2), (light(colour, 0.4), dark(colour, 0.1)), "streetcar")
        c.line([(-38, 3), (38, 3)], 1.2, cream)
        for k in range(6):
            window(c, -34.6 + 11.8 * k, -15.6, -26.4 + 11.8 * k, -3.2, within="streetcar", lit=lights, bars=k in (1, 3))
        c.shape(rect(-7, -15, 5, 15), (dark(colour, 0.2), dark(colour, 0.45)), "streetcar/door")
        window(c, -5.8, -12.6, -1.8, 6, within="streetcar", lit=lights, bars=False)
        window(c, -0.2, -12.6, 3.8, 6, within="streetcar", lit=lights, bars=False)
        c.glow(37, 9, 5, 5, (255, 246, 190), 1.1)
        c.dot(36, 9, 1.8, (255, 250, 220), "headlight")


def house(c: Canvas) -> None:
    """A cottage of brick, planks or plaster with windows, a door, a roof and a chimney."""
    rng = c.rng
    kind = country(c, rng.uniform(58, 70))
    lights, wide, high = lit(c, kind), rng.uniform(27, 33), rng.uniform(26, 31)
    c.facts["wall"] = style = rng.choice(["brick", "planks", "plaster"])
    wall = {
        "brick": hsv(rng.uniform(0.0, 0.05), 0.55, 0.7),
        "planks": paint_colour(c),
        "plaster": hsv(rng.uniform(0.05, 0.16), 0.2, 0.95),
    }[style]
    if style == "planks":
        wall = light(wall, 0.25)
    tile, door = hsv(rng.choice([0.0, 0.03, 0.06, 0.6, 0.4]), rng.uniform(0.35, 0.65), rng.uniform(0.4, 0.65)), paint_colour(c)
    with c.pose(
        rng.uniform(43, 53),
        rng.uniform(80, 87),
        scale=rng.uniform(0.88, 1.08),
        turn=rng.uniform(-2, 2),
        flip=rng.random() < 0.5,
        fact=True,
    ):
        shadow(c, 6, 0, wide * 1.4, 6, 0.7)
        if rng.random() < 0.5:
            puffs(c, wide * 0.5, -high - 29, 4, rng.uniform(-2, 2))
        c.shape(
            rect(wide * 0.5 - 4, -high - 28, wide * 0.5 + 4, -high - 8),
            (light(hsv(0.02, 0.5, 0.6), 0.1), hsv(0.02, 0.55, 0.45)),
            "house/chimney",
        )
        c.shape(rect(-wide, -high, wide, 0), (light(wall, 0.12), dark(wall, 0.16)), "house/wall")
        joints = dark(wall, 0.28) if style != "brick" else light(wall, 0.3)
        if style == "brick":
            for row in range(int(high // 3)):
                y = -high + 3 * (row + 1)
                c.line([(-wide, y), (wide, y)], 0.45, joints)
                for k in range(int(wide // 3)):
                    x = -wide + 6 * k + 3 * (row % 2)
                    c.line([(x, y), (x, y - 3)], 0.45, joints)
        elif style == "planks":
            for k in range(1, 7):
                c.line([(-wide, -high * k / 7), (wide, -high * k / 7)], 0.6, joints)
        peak = high + rng.uniform(18, 24)
        c.shape(
            [(-wide - 5, -high + 1), (-wide * 0.45, -peak), (wide * 0.45, -peak), (wide + 5, -high + 1)],
            (light(tile, 0.18), dark(tile, 0.2)),
            "house/roof",
        )
        for row in range(5):
            y = -peak + (peak - high) * (row + 1) / 5.4
            half = wide * 0.45 + (wide * 0.55 + 5) * (row + 0.4) / 5.4
            for k in range(10 - row % 2):
                x = -half + 2 * half * (k + 0.5 * (row % 2)) / 10
                c.line(oval(x + half * 0.1, y - 2.6, half * 0.1, 2.8, start=0, stop=0.5, steps=4), 0.6, dark(tile, 0.45))
        spot = rng.choice([-1, 0, 1])
        for k in (-1, 0, 1):
            x = k * wide * 0.62
            if k == spot:
                c.shape(rounded(x - 4.8, -18, x + 4.8, 0, 2.4), (250, 244, 230), "house/door")
                c.shape(rounded(x - 3.8, -17, x + 3.8, 0, 2), (light(door, 0.1), dark(door, 0.3)), "house/door")
                c.dot(x + 2.4, -8, 0.7, (250, 214, 110))
            else:
                window(c, x - 4.8, -high * 0.72, x + 4.8, -high * 0.3, within="house", lit=lights)
                c.shape(
                    rect(x - 6, -high * 0.26, x + 6, -high * 0.18), (light(hsv(0.33, 0.5, 0.5), 0.1), hsv(0.33, 0.6, 0.38)), None
                )
                for step in range(5):
                    c.dot(x - 5 + 2.5 * step, -high * 0.26, 0.9, hsv(rng.choice([0.95, 0.0, 0.14]), 0.6, 1))


def locomotive(c: Canvas) -> None:
    """A steam engine: boiler, cab with a window, chimney with steam, wheels on rails."""
    rng = c.rng
    kind = country(c, rng.uniform(58, 72))
    colour, trim = tank_colour(c), paint_colour(c)
    with c.pose(
        rng.uniform(44, 50),
        rng.uniform(58, 64),
        scale=rng.uniform(0.9, 1.1),
        turn=rng.uniform(-4, 4),
        flip=rng.random() < 0.5,
        fact=True,
    ):
        rails(c, 23, sleepers=True)
        puffs(c, 24, -26, rng.randint(5, 7), rng.uniform(-4.2, -1.2))
        c.shape([(21, -8), (20, -22), (28, -22), (27, -8)], (light(IRON, 0.25), IRON), "chimney")
        c.shape(rect(18.6, -26, 29.4, -21), (light(IRON, 0.4), IRON), "chimney")
        c.shape(oval(8, -9, 5, 7), ((252, 226, 140), (140, 92, 26)), "dome")
        c.shape(rect(-38, 8, 36, 13), (light(trim, 0.1), dark(trim, 0.35)), "chassis")
        tank(c, -16, -10, 35, 10, colour, "boiler", bands=3)
        c.shape(oval(34, 0, 3.4, 9), (light(IRON, 0.2), IRON), "boiler")
        c.glow(38, -6, 6, 6, (255, 244, 180), 0.8)
        c.dot(36, -6, 2.2, (255, 246, 200), "headlight")
        c.shape(rect(-38, -24, -14, 10), (light(trim, 0.12), dark(trim, 0.3)), "cab")
        c.shape(rounded(-41, -28, -11, -23, 2.4), (light(trim, 0.1), dark(trim, 0.5)), "cab")
        window(c, -33, -19, -20, -7, within="cab", lit=lit(c, kind))
        for x in (-28, -11, 6):
            wheel(c, x, 15.6, 8.4, trim, spokes=9, turn=rng.random())
        wheel(c, 23, 18.6, 5.2, trim, spokes=8, turn=rng.random())
        c.line([(-28, 17), (6, 17), (22, 12)], 1.7, METAL, "rod")
        c.shape([(32, 12), (38, 12), (44, 24), (32, 24)], (light(trim, 0.1), dark(trim, 0.4)), "cowcatcher")
        for k in range(4):
            c.line([(33 + 1.4 * k, 13), (33.5 + 3 * k, 23)], 0.7, dark(trim, 0.6))


def bicycle(c: Canvas) -> None:
    """A bicycle: two thin wheels, a frame, a saddle and a handlebar."""
    rng = c.rng
    (street if rng.random() < 0.5 else country)(c, rng.uniform(44, 62))
    colour = paint_colour(c)
    with c.pose(
        rng.uniform(45, 51),
        rng.uniform(60, 66),
        scale=rng.uniform(0.9, 1.12),
        turn=rng.uniform(-8, 8),
        flip=rng.random() < 0.5,
        fact=True,
    ):
        shadow(c, 0, 17, 40, 5, 0.6)
        for x in (-21, 21):
            c.line(oval(x, 0, 15, steps=30), 2.4, (34, 34, 40), "wheel")
            c.line(oval(x, 0, 13.4, steps=30), 0.7, (214, 218, 224), "wheel")
            turn = rng.random()
            for k in range(14):
                angle = (turn + k) / 14 * math.tau
                c.line([(x, 0), (x + 13 * math.cos(angle), 13 * math.sin(angle))], 0.5, (222, 226, 232), "wheel")
            c.dot(x, 0, 1.5, METAL, "wheel")
        for points in (
            [(-21, 0), (-8, -19), (-2, 1), (-21, 0)],
            [(-8, -19), (13, -20), (-2, 1)],
            [(21, 0), (13, -20), (11, -26)],
            [(-8, -19), (-10, -25)],
        ):
            c.line(points, 2.1, dark(colour, 0.3), "frame")
            c.line(points, 1.2, light(colour, 0.12), None)
        c.shape(oval(-2, 1, 3.4), METAL, "pedals")
        c.line([(-5, 5), (1, -3)], 1.3, IRON, "pedals")
        c.shape([(-16, -28), (-5, -27), (-3, -25.6), (-13, -24)], (72, 46, 34), "saddle")
        c.line([(7, -29), (12, -27), (18, -28), (19, -25)], 1.7, IRON, "handlebar")
        if rng.random() < 0.4:
            c.shape([(13, -25), (24, -25), (22.4, -16), (14.6, -16)], ((214, 170, 104), (150, 102, 52)), "basket")


def car_front(c: Canvas) -> None:
    """The front of a car: two round lamps, a grille, a windscreen."""
    rng = c.rng
    kind = street(c, rng.uniform(44, 60))
    colour, lights = paint_colour(c), lit(c, kind)
    with c.pose(rng.uniform(44, 52), rng.uniform(52, 58), scale=rng.uniform(0.92, 1.12), turn=rng.uniform(-6, 6), fact=True):
        shadow(c, 0, 28, 42, 7, 0.8)
        for x in (-27, 27):
            c.shape(rounded(x - 6, 10, x + 6, 30, 3), IRON, "wheel")
            for k in range(4):
                c.line([(x - 5, 14 + 4 * k), (x + 5, 14 + 4 * k)], 0.8, (92, 94, 102))
        c.shape([(-22, -30), (22, -30), (30, -6), (-30, -6)], (light(colour, 0.3), dark(colour, 0.12)), "car")
        c.shape([(-19, -27), (19, -27), (25, -8), (-25, -8)], ((110, 150, 184), (196, 224, 236)), "car/windscreen")
        c.shape([(-13, -8), (-4, -27), (4, -27), (-5, -8)], (222, 238, 246), None)
        c.shape(rounded(-36, -8, 36, 22, 8), (light(colour, 0.2), dark(colour, 0.35)), "car")
        c.line([(-20, -6), (-16, 4), (16, 4), (20, -6)], 0.8, dark(colour, 0.3))
        c.shape(rounded(-13, 5, 13, 17, 3), (222, 226, 230), "car/grille")
        c.shape(rounded(-12, 6, 12, 16, 2.4), IRON, "car/grille")
        for k in range(7):
            c.line([(-9 + 3 * k, 6), (-9 + 3 * k, 16)], 0.9, (206, 210, 216))
        for x in (-25, 25):
            if lights:
                c.glow(x, 6, 15, 15, (255, 246, 190), 0.9)
            c.shape(oval(x, 6, 7.6), (226, 230, 234), "car/headlight")
            c.shape(
                oval(x, 6, 6.2),
                ((255, 252, 226), (250, 220, 130)) if lights else ((236, 244, 250), (152, 168, 184)),
                "car/headlight",
            )
            c.dot(x - 2, 4, 1.8, (255, 255, 255))
        c.shape(rounded(-38, 19, 38, 25, 3), ((240, 244, 248), (128, 134, 144)), "car/bumper")
        c.shape(rect(-8, 19, 8, 24), ((255, 255, 250), (220, 222, 226)), "car/plate")
        for k in range(4):
            c.line([(-5.4 + 3.6 * k, 20.4), (-5.4 + 3.6 * k, 22.8)], 1.2, (50, 54, 70))


def lighthouse(c: Canvas) -> None:
    """A striped tower with a lamp, on a rock by the sea."""
    rng = c.rng
    kind = sky(c, 75)
    horizon = rng.uniform(66, 76)
    water(c, [*shore(c, -1, 97, horizon, 0.4), (97, 97), (-1, 97)], y0=horizon + 2, crests=10)
    colour = hsv(rng.choice([0.0, 0.0, 0.6, 0.02, 0.4]), 0.75, rng.uniform(0.62, 0.82))
    with c.pose(
        rng.uniform(38, 58),
        rng.uniform(82, 87),
        scale=rng.uniform(0.9, 1.05),
        turn=rng.uniform(-3, 3),
        flip=rng.random() < 0.5,
        fact=True,
    ):
        if kind == "dusk" or rng.random() < 0.4:
            for side in (-1, 1):
                c.shape([(0, -67), (side * 90, -80), (side * 90, -58)], (255, 240, 176), "beam")
        stone = hsv(rng.uniform(0.05, 0.6), 0.12, rng.uniform(0.42, 0.6))
        c.shape(
            [(-32, 14), (-26, 1), (-14, -4), (4, -3), (18, -5), (28, 3), (34, 14)],
            c.texture("mottle", dark(stone, 0.45), light(stone, 0.25), 1.4),
            "rock",
        )
        bands = rng.randint(5, 7)
        for k in range(bands):
            y0, y1 = -4 - 54 * k / bands, -4 - 54 * (k + 1) / bands
            a, b = 11 - 4.6 * k / bands, 11 - 4.6 * (k + 1) / bands
            tone = colour if k % 2 == 0 else (248, 244, 236)
            for lane in range(5):
                s, t = -1 + 0.4 * lane, -1 + 0.4 * (lane + 1)
                shade = [0.16, 0.0, 0.06, 0.2, 0.36][lane]
                c.shape([(a * s, y0), (a * t, y0), (b * t, y1), (b * s, y1)], dark(tone, shade), "tower")
        for k in range(2):
            window(c, -1.6, -22 - 20 * k, 1.6, -16 - 20 * k, within="tower", lit=kind == "dusk", bars=False)
        c.shape(rect(-9, -60, 9, -57), (light(IRON, 0.3), IRON), "tower")
        c.shape(rect(-5, -70, 5, -60), ((255, 252, 214), (255, 206, 90)), "lamp")
        for x in (-5, -1.7, 1.7, 5):
            c.line([(x, -70), (x, -60)], 0.8, IRON)
        c.shape([(-7, -70), (0, -77), (7, -70)], (light(colour, 0.1), dark(colour, 0.3)), "tower")
        c.glow(0, -65, 13, 13, (255, 240, 170), 0.5)
        for k in range(8):
            c.glow(-30 + 8.6 * k, 13 + rng.uniform(-1, 1), 5, 2.4, (242, 250, 252), 1.3, "foam")


def balloon(c: Canvas) -> None:
    """A hot-air balloon with gores and a basket, in the sky."""
    rng = c.rng
    sky(c, 97)
    if rng.random() < 0.6:
        hills(c, 97)
    for _ in range(rng.randint(0, 2)):
        from_left = rng.uniform(0, 96)
        c.glow(from_left, rng.uniform(20, 90), 16, 5, (255, 255, 255), 0.9, "cloud")
    hues = [hsv(rng.random(), rng.uniform(0.6, 0.85), rng.uniform(0.8, 0.98)) for _ in range(2)]
    hues.append((250, 244, 230) if rng.random() < 0.6 else hsv(rng.random(), 0.6, 0.95))
    with c.pose(rng.uniform(40, 56), rng.uniform(36, 42), scale=rng.uniform(0.85, 1.1), turn=rng.uniform(-9, 9), fact=True):
        for x in (-6, -2, 2, 6):
            c.line([(x * 1.6, 26), (x * 0.6, 41)], 0.5, (92, 74, 54), "rope")
        gores = rng.choice([7, 9])
        # a round crown of radius 30 that narrows in a curve to a mouth of half-width 7
        profile = [(30 * math.sin(a), -2 - 28 * math.cos(a)) for a in (math.pi * k / 20 for k in range(11))]
        profile += [(7 + 23 * (1 - (k / 6) ** 1.6), -2 + 31 * k / 6) for k in range(1, 7)]
        for k in range(gores):
            s, t = -1 + 2 * k / gores, -1 + 2 * (k + 1) / gores
            # a gore is a slice of the sphere: its width shrinks towards the rim, as a sine
            s, t = math.sin(s * math.pi / 2), math.sin(t * math.pi / 2)
            tone = dark(hues[k % len(hues)], 0.32 * abs((k + 0.5) / gores - 0.38))
            c.shape(
                [(w * s, y) for w, y in profile] + [(w * t, y) for w, y in reversed(profile)],
                (light(tone, 0.22), dark(tone, 0.2)),
                "balloon",
            )
        c.glow(-11, -14, 11, 14, (255, 255, 255), 0.4)
        if rng.random() < 0.7:
            c.glow(0, 29, 4, 5, (255, 176, 60), 1.6, "flame")
        c.shape(rounded(-5, 40, 5, 48, 1.4), ((206, 152, 88), (126, 80, 40)), "basket")
        for k in range(3):
            c.line([(-5, 42 + 2 * k), (5, 42 + 2 * k)], 0.5, (98, 62, 32))
