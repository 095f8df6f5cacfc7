"""The terrarium: a drawn world of eighteen kinds of picture whose every fact is known."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from pellucid.errors import NotFoundError, UsageError
from pellucid.terrarium import creatures, vehicles
from pellucid.terrarium.paint import Canvas, hsv, mix

SIZE = 96

_PAINTERS = {
    "sandbar": creatures.sandbar,
    "beach": creatures.beach,
    "lake": creatures.lake,
    "fireboat": vehicles.fireboat,
    "streetcar": vehicles.streetcar,
    "house": vehicles.house,
    "steam locomotive": vehicles.locomotive,
    "snorkel": creatures.snorkel,
    "scuba diver": creatures.scuba_diver,
    "cat's head or car front": creatures.cat_or_car,
    "starfish": creatures.starfish,
    "cabbage": creatures.cabbage,
    "fish": creatures.fish,
    "bicycle": vehicles.bicycle,
    "lighthouse": vehicles.lighthouse,
    "balloon": vehicles.balloon,
    "sunflower": creatures.sunflower,
    "mushroom": creatures.mushroom,
}

CLASSES: tuple[str, ...] = tuple(_PAINTERS)
# fmt: off
PARTS: tuple[str, ...] = (
    "sky", "cloud", "sun", "hill", "tree", "grass", "soil", "rock", "sand", "water", "street", "building", "backdrop",
    "shell", "footprint", "palm", "parasol", "lily", "reeds", "seaweed", "bubbles", "foam",
    "window", "wheel", "door", "headlight", "rails", "steam", "cylinder",
    "boat", "crane", "funnel", "spray",
    "streetcar", "pantograph", "wire",
    "house", "wall", "roof", "chimney",
    "boiler", "cab", "chassis", "cowcatcher", "dome", "rod",
    "diver", "mask", "fins", "snorkel", "air tank", "hose", "regulator",
    "cat", "ear", "eye", "nose", "whiskers",
    "car", "windscreen", "grille", "bumper", "plate",
    "starfish", "dots", "cabbage", "veins",
    "fish", "tail", "stripes",
    "frame", "handlebar", "pedals", "saddle", "basket",
    "tower", "lamp", "beam",
    "balloon", "rope", "flame",
    "petals", "heart", "leaf", "stem",
    "mushroom", "cap", "stalk", "gills",
)
# fmt: on


@dataclass(frozen=True)
class Scene:
    """A picture and its facts.

    Attributes:
        picture: RGB, as wide as high.
        label: the class, one of `CLASSES`.
        class_index: its place in `CLASSES`.
        masks: for each part of `PARTS` that can be seen, a bool array `h w` of the pixels that show it. A pixel can show
            two parts (a boat's window is boat and window); what hides another thing takes its pixels away.
        parameters: what was drawn: the main thing's pose (`x` and `y` in 1/96 of the side, `scale`, `turn` in degrees
            clockwise, `flip`), the `sky`, the `light`, and what else its class varies (`face`, `ground`, `wall`).
    """

    picture: Image.Image
    label: str
    class_index: int
    masks: dict[str, np.ndarray] = field(repr=False)
    parameters: dict[str, float | str]


def draw(index: int, *, seed: int = 0, label: str | None = None, masks: bool = True, size: int = SIZE) -> Scene:
    """Draw picture number `index` of the world that `seed` makes; the same arguments give the same bytes.

    Args:
        index: which picture, 0 or more; there is no last one.
        seed: which world; the pictures of different worlds have nothing to do with each other.
        label: the class to draw; without it the classes take turns, `CLASSES[index % len(CLASSES)]`.
        masks: False leaves the masks out, which is faster.
        size: side in pixels, 16 or more; the same scene at any size, with grain of its own.

    Returns:
        The picture and its facts.

    Raises:
        NotFoundError: there is no class of that name.
        UsageError: a negative index or a size below 16.

    >>> scene = draw(3)
    >>> scene.label, scene.picture.size, sorted(scene.masks)[:3]
    ('fireboat', (96, 96), ['boat', 'crane', 'funnel'])
    """
    if index < 0:
        raise UsageError(f"index={index}: pictures are numbered from 0")
    label = CLASSES[index % len(CLASSES)] if label is None else label
    if label not in _PAINTERS:
        raise NotFoundError("class", label, CLASSES)
    if size < 16:
        raise UsageError(f"size={size}: a picture of the terrarium needs 16 pixels or more")
    rng = random.Random(f"terrarium {seed} {index} {label}")
    canvas = Canvas(rng, size, masks=masks)
    _PAINTERS[label](canvas)
    tint, strength, bright, fall, grain = (rng.uniform(*span) for span in ((0, 1), (0, 0.07), (0.93, 1), (0.84, 1), (0.02, 0.07)))
    top = mix((0, 0, 0), mix((255, 255, 255), hsv(tint, 1, 1), strength), bright)
    picture = canvas.lit(top, mix((0, 0, 0), top, fall), grain)
    facts = {**canvas.facts, "light": bright, "fall": fall, "tint": tint, "tint strength": strength, "grain": grain}
    return Scene(picture, label, CLASSES.index(label), canvas.masks(), facts)
