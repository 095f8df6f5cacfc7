"""What lies on disk for the viewer: dataclasses that become JSON, and the same types for TypeScript.

A site's data are classic scripts, `data/KEY.js`, each one call `pellucid.put("KEY", VALUE)`: a browser runs them from disk as well
as from a web host. `site` holds a `Site`, `layer-ID` a `LayerPage`, `atlas-ID-GRID` an `AtlasLevel`, `pictures` a `PicturesPage`,
`wall-ID` a `Wall`, `near-pixels` a `Neighbours`, `explain-ID` an `ExplainPage`. Paths are relative to the site's folder. A server
that explains pictures adds `live`, a `Live`, to `site`.
`python -m pellucid.schema` prints `web/src/schema.ts`; a test compares the two.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from dataclasses import dataclass

VERSION = 5


@dataclass(frozen=True)
class Sprites:
    """Equal square pictures on sheets: picture i is on sheet floor(i / per_sheet), at i mod per_sheet in reading order."""

    sheets: list[str]
    tile: int  # pixels
    columns: int
    per_sheet: int
    count: int


@dataclass(frozen=True)
class Field:
    """Receptive field of a layer's positions, in pixels of the network's input; offset is the centre of position (0, 0)."""

    size: list[int]  # rows, columns
    stride: list[int]
    offset: list[float]


@dataclass(frozen=True)
class ModelCard:
    spec: str
    name: str
    channels: int
    height: int
    width: int
    parameters: int
    fingerprint: str


@dataclass(frozen=True)
class Skipped:
    name: str
    reason: str


@dataclass(frozen=True)
class DatasetCard:
    source: str
    pictures: int  # read
    skipped: list[Skipped]  # the first 100
    skipped_count: int
    labelled: bool


@dataclass(frozen=True)
class LayerCard:
    """A layer on the home page; strip lists positions in its units."""

    id: str
    name: str
    kind: str
    channels: int
    height: int
    width: int
    field: Field | None  # none: the whole picture
    units: int
    sprites: Sprites  # one picture a unit, in the order of LayerPage.units
    strip: list[int]
    icons: int  # atlas icons over all levels; 0: no atlas


@dataclass(frozen=True)
class ClassScore:
    index: int  # in Site.classes
    logit: float
    probability: float


@dataclass(frozen=True)
class ExplainCard:
    """A picture that is explained."""

    id: str
    name: str
    photo: str  # path of what the network was shown, at least as large
    classes: list[ClassScore]  # that are explained; the likeliest first where nobody chose


@dataclass(frozen=True)
class Site:
    schema: int
    made_by: str
    title: str
    model: ModelCard
    dataset: DatasetCard | None  # none where there are explained pictures only
    classes: list[str]
    layers: list[LayerCard]
    wall: Sprites | None  # of the pictures that are laid out by likeness, as in PicturesPage; none where there is one only
    explained: list[ExplainCard]


@dataclass(frozen=True)
class Example:
    """Where a picture of the data excites a unit; box is top, left, bottom, right as fractions of the whole picture."""

    image: int
    name: str
    label: str | None
    value: float
    crop: int  # in LayerPage.crops
    whole: int  # in LayerPage.wholes
    box: list[float]
    wall: bool  # whether the picture is among PicturesPage.pictures


@dataclass(frozen=True)
class Bucket:
    """A part of a unit's spectrum that holds something."""

    name: str  # minimum, negative, zero or positive
    share: float | None  # of the activations, in the parts between the ends
    examples: list[Example]  # from the lowest value


@dataclass(frozen=True)
class Bars:
    """How often a unit gives which activation: bars of one width between two values."""

    low: float
    high: float
    shares: list[float]


@dataclass(frozen=True)
class Kin:
    """Another unit of the layer, and how alike they answer."""

    unit: int  # place in LayerPage.units
    correlation: float  # of their mean answers over all pictures


@dataclass(frozen=True)
class Favour:
    """A class that a unit speaks for."""

    index: int  # in Site.classes
    correlation: float  # of its answers with what is attributed to the class beyond the mean of all classes


@dataclass(frozen=True)
class Score:
    """How well where a unit answers agrees with where pictures show a concept."""

    concept: str
    iou: float


@dataclass(frozen=True)
class Unit:
    name: str  # layer:channel
    channel: int
    picture: str  # path of the optimised picture
    negative: str | None  # path of the picture optimised to be answered least; none where nothing is answered below zero
    score: float  # of the optimised picture, by its own objective
    silent: bool  # the optimisation never moved it: nothing to see
    history: list[float]
    constant: float | None  # what it answers everywhere in all pictures, none of which are shown then; none where it varies
    examples: list[Example]  # best first
    spectrum: list[Bucket]  # from the lowest; what excites the unit most stands in examples
    bars: Bars
    alike: list[Kin]  # most alike first
    opposite: list[Kin]  # most opposite first
    favours: list[Favour]  # what stands out most first
    concepts: list[Score]  # best first; empty where no concepts are known
    quality: list[str]  # sentences for people that begin with a word and a colon; none of a silent unit
    settings: str  # one line for people


@dataclass(frozen=True)
class LevelCard:
    grid: int  # cells a side
    cells: int
    icons: Sprites  # in the order of AtlasLevel.cells


@dataclass(frozen=True)
class AtlasCard:
    samples: int
    method: str
    trustworthiness: float | None
    median_cosine: float
    whitened: bool
    patches: Sprites  # real patches of the examples
    levels: list[LevelCard]  # coarse to fine


@dataclass(frozen=True)
class ConceptCard:
    """What the concept scores of a layer's units were counted on."""

    pictures: int
    concepts: int
    limit: float  # IoU above which a unit is a detector


@dataclass(frozen=True)
class LayerPage:
    id: str
    units: list[Unit]
    crops: Sprites
    wholes: Sprites
    concepts: ConceptCard | None  # none: it is not known what the pictures show where
    atlas: AtlasCard | None


@dataclass(frozen=True)
class ClassValue:
    index: int  # in Site.classes
    value: float  # mean attribution


@dataclass(frozen=True)
class Patch:
    patch: int  # in AtlasCard.patches
    name: str
    label: str | None


@dataclass(frozen=True)
class Cell:
    row: int
    col: int
    count: int  # samples in the cell
    cosine: float  # between the icon's own activation and the cell's mean
    classes: list[ClassValue]  # largest first
    examples: list[Patch]


@dataclass(frozen=True)
class AtlasLevel:
    grid: int
    cells: list[Cell]


@dataclass(frozen=True)
class Picture:
    image: int  # its number among all pictures
    name: str
    label: str | None
    said: int | None  # in Site.classes: what the network takes it for


@dataclass(frozen=True)
class PicturesPage:
    pictures: list[Picture]


@dataclass(frozen=True)
class Neighbours:
    """For each picture of the wall the others that are nearest, nearest first."""

    near: list[list[int]]  # places in PicturesPage.pictures
    apart: list[list[float]]


@dataclass(frozen=True)
class Wall:
    """The pictures laid out by likeness in a layer."""

    side: int  # tiles of the wall's longer side
    tiles: list[int]  # of each picture: row * side + col
    neighbours: Neighbours


@dataclass(frozen=True)
class Packed:
    """Numbers in C order, as base64 of signed bytes: a value is its byte / 127 × the scale of its place on the first axis."""

    shape: list[int]
    scales: list[float]  # the largest absolute values
    bytes: str


@dataclass(frozen=True)
class Place:
    """What can be pointed at: cells of the picture or of a layer, in reading order."""

    name: str  # of the layer, or `image`
    rows: int
    cols: int
    box: list[float]  # where the cells lie: top, left, bottom, right as fractions of the picture
    gives: Packed  # classes × rows × cols: what each cell gives to ExplainPage.classes


@dataclass(frozen=True)
class WayCard:
    """What channels give to classes, by one way of taking the gradient."""

    name: str  # linear, path or stochastic
    gives: list[list[float]]  # classes × ExplainLayer.channels
    gained: list[float]  # of each class, what the whole layer gives
    error: list[float]  # by how much the sum of all channels misses that


@dataclass(frozen=True)
class GroupCard:
    gives: list[float]  # to each class
    shares: list[float]  # of each of ExplainLayer.channels in its direction, which is of length one


@dataclass(frozen=True)
class ExplainLayer:
    place: int  # in ExplainPage.places
    layer: str | None  # LayerCard.id; none where the site has no page of the layer
    channels: list[int]  # that have a picture here
    linked: list[bool]  # whether each of them has a page
    icons: Sprites | None  # of the channels, then of the groups
    maps: Packed  # channels × rows × cols: what they answer
    cells: Sprites | None  # one picture a cell of the grid below
    grid: list[int]  # rows and columns of these pictures
    sides: Packed  # rows × columns of the grid, from 0 to 1: how large each picture is to be drawn
    words: list[list[int]]  # of each cell of the place, the channels that answer most, strongest first
    values: list[list[float]]  # what they answer
    classes: list[list[ClassValue]]  # of each cell, those of all classes that it gives most to
    ways: list[WayCard]
    groups: list[GroupCard]
    group_maps: Packed  # groups × rows × cols: how much of each is where
    rest: list[float]  # what the layer gives to each class beyond its groups
    explained: float  # share of the squares that the groups give back


@dataclass(frozen=True)
class Between:
    """What cells give to each other's answers: a row is what influences a cell, a column what it influences."""

    source: int  # in ExplainPage.places
    target: int
    values: Packed  # target's cells × source's cells


@dataclass(frozen=True)
class GroupFlow:
    """What groups of a layer give to those of the next; of each later group, given, rest and constant add up to its amount."""

    given: list[list[float]]  # earlier × later groups
    amounts: list[float]
    rest: list[float]  # from the earlier layer beyond its groups
    constant: list[float]  # from neither


@dataclass(frozen=True)
class FactorCard:
    """A way of speaking for classes, the same in all layers."""

    classes: list[ClassValue]  # that it speaks most for, best first
    maps: list[Packed]  # of each layer, rows × cols


@dataclass(frozen=True)
class Trust:
    """What is known about a method's map of the first class."""

    deletion: float  # area under the probability as what it marks is taken away
    insertion: float  # and given back
    halfway: float  # how alike the map is with the upper half of the network randomised
    fails: bool  # whether that is too much to show what was learned
    stability: float  # how alike it is under a little noise
    completeness: float | None  # error of its sum, in units of what it should sum up to


@dataclass(frozen=True)
class MethodCard:
    name: str
    title: str
    layer: str | None  # whose positions it is about; none for the picture's own
    maps: Packed  # classes × rows × cols; the first ones of ExplainPage.classes, or a single map that is of none
    by_class: bool
    warning: str | None  # why its map may not be read as what the network learned
    trust: Trust | None  # none: not checked


@dataclass(frozen=True)
class ExplainPage:
    id: str
    name: str
    photo: str
    width: int  # of what the network was shown
    height: int
    classes: list[ClassScore]
    places: list[Place]  # the picture, then the layers in the network's order
    layers: list[ExplainLayer]
    between: list[Between]
    flows: list[GroupFlow]  # from each layer to the next
    factors: list[FactorCard]
    methods: list[MethodCard]
    unfit: list[Skipped]  # methods that are not for this network
    blind: list[float] | None  # deletion and insertion of a random map


@dataclass(frozen=True)
class Live:
    """What a server that explains pictures tells its viewer, beside the site, under `live`."""

    limit: int  # bytes of a picture
    kept: int  # explained pictures that are kept, at most
    running: str | None  # id of the picture that is being explained
    explained: list[ExplainCard]  # newest first


@dataclass(frozen=True)
class LiveState:
    """How far the server is with a picture that was handed in; `live/ID` answers with it."""

    name: str
    stage: str  # empty before the first
    done: int  # of the stage
    total: int
    share: float  # of the whole, about; 0 to 1
    left: float | None  # seconds, about; none as long as nobody can tell
    error: str | None
    card: ExplainCard | None  # of the finished page


def to_json(value: object) -> str:
    """A schema object (or a plain JSON value) as one line of ASCII JSON with sorted keys; NaN is refused.

    >>> to_json(ClassValue(index=3, value=0.5))
    '{"index": 3, "value": 0.5}'
    """
    return json.dumps(value, default=_fields, sort_keys=True, allow_nan=False)


def _fields(value: object) -> dict[str, object]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no form on disk")


def typescript() -> str:
    """The same types as TypeScript interfaces."""
    lines = [
        "// Made by `python -m pellucid.schema`; edit src/pellucid/schema.py instead.",
        "",
        f"export const VERSION = {VERSION};",
    ]
    module = sys.modules[__name__]
    for kind in [each for each in vars(module).values() if dataclasses.is_dataclass(each)]:
        hints = typing.get_type_hints(kind)
        members = [f"  {field.name}: {_typescript(hints[field.name])};" for field in dataclasses.fields(kind)]
        lines += ["", f"export interface {typing.cast(type, kind).__name__} {{", *members, "}"]
    return "\n".join(lines) + "\n"


def _typescript(hint: typing.Any) -> str:
    if isinstance(hint, types.UnionType):
        return " | ".join(_typescript(each) for each in typing.get_args(hint))
    if typing.get_origin(hint) is list:
        inner = _typescript(typing.get_args(hint)[0])
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    plain: dict[object, str] = {int: "number", float: "number", str: "string", bool: "boolean", type(None): "null"}
    return plain.get(hint) or hint.__name__


if __name__ == "__main__":
    sys.stdout.write(typescript())
