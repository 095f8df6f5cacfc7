"""What is known of one explained picture, as files for the viewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from pellucid import schema
from pellucid.analysis.attribution import METHODS
from pellucid.arrays import to_image, to_picture
from pellucid.data.decode import decode, fit
from pellucid.errors import PellucidError
from pellucid.explain.cells import MOST, Cells, cells_of
from pellucid.explain.channels import Way
from pellucid.explain.explain import WAYS, Explanation
from pellucid.explain.icons import Icons
from pellucid.explain.methods import Maps, MethodMaps
from pellucid.explain.pictures import Progress
from pellucid.files import check_photo
from pellucid.models import Model
from pellucid.site.files import Shelf, write_data, write_picture, write_sprites
from pellucid.site.packed import box_of, packed, short, shorts
from pellucid.vis.objectives import IMAGE

KNOWN_TO_FAIL = (  # Adebayo et al. 2018, arXiv:1810.03292
    "Known to fail the randomisation check: such maps stay much the same when the upper layers have forgotten all that they "
    "learned. They show edges of the picture rather than reasons of the network."
)
ENDS = 3  # channels that give most to a class, and least, by each way
VOCABULARY = 32  # channels of a layer that say most, beside those
LOUDEST = 6  # cells of which all words have a picture
SUPPORTED = 5  # classes that a cell's line names
FINEST = 112  # positions a side of a method's map
TILE = 72  # pixels of a picture on a sheet, at most
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # that are read of what comes from elsewhere
GREY = Image.new("RGB", (1, 1), (128, 128, 128))


@dataclass(frozen=True)
class Photo:
    """A picture that is explained.

    Attributes:
        name: of its file.
        image: what the network is shown, of its size and channels.
        shown: the same for people, at least as large.
    """

    name: str
    image: Float[Tensor, "c h w"]
    shown: Image.Image


@dataclass(frozen=True)
class Pages:
    """The page of a layer in the same site, and the channels that have one too."""

    layer: str
    channels: Sequence[int]


@dataclass(frozen=True)
class ExplanationExport:
    """Writes one explained picture into a site.

    Args:
        site: where its files are put.
        id: of the picture, unique in the site.
        model: that was asked.
        photo: what it was asked about.
        found: from `explain`.
        maps: from `method_maps`, of the first classes.
        icons: makes the pictures of channels that are missing.
        pages: of layers that the site has, by name.
        progress: called with (stage, done, total).
    """

    site: Shelf
    id: str
    model: Model
    photo: Photo
    found: Explanation
    maps: Maps
    icons: Icons
    pages: Mapping[str, Pages]
    progress: Progress

    def write(self) -> schema.ExplainCard:
        found, probabilities = self.found, self.found.logits.softmax(0)
        classes = [
            schema.ClassScore(each, short(float(found.logits[each])), short(float(probabilities[each]))) for each in found.classes
        ]
        height, width = found.image.shape[1:]
        photo = f"photos/{self.id}.jpg"
        write_picture(self.site, photo, self.photo.shown.convert("RGB"))
        page = schema.ExplainPage(
            id=self.id,
            name=self.photo.name,
            photo=photo,
            width=width,
            height=height,
            classes=classes,
            places=[self.place(name) for name in (IMAGE, *found.layers)],
            layers=[self.layer(name, place) for place, name in enumerate(found.layers, start=1)],
            between=self.between(),
            flows=[
                schema.GroupFlow(
                    [shorts(row) for row in each.given], shorts(each.amounts), shorts(each.rest), shorts(each.constant)
                )
                for each in found.flows
            ],
            factors=self.factors(),
            methods=[self.method(each) for each in self.maps.methods],
            unfit=[schema.Skipped(METHODS[name].title, why) for name, why in self.maps.unfit],
            blind=None if self.maps.blind is None else [short(each) for each in self.maps.blind],
        )
        write_data(self.site, f"explain-{self.id}", page)
        return schema.ExplainCard(self.id, self.photo.name, page.photo, classes)

    def cells(self, name: str) -> Cells:
        """How positions of a layer, or of the picture, are taken together."""
        if name != IMAGE:
            return self.found.dictionaries[name].cells
        height, width = self.found.image.shape[1:]
        rows, cols = next((each.shape[2:] for pair, each in self.found.between.items() if pair[0] == IMAGE), (MOST, MOST))
        return cells_of((height, width), max(rows, cols))

    def place(self, name: str) -> schema.Place:
        cells, size = self.cells(name), (self.found.image.shape[1], self.found.image.shape[2])
        if name == IMAGE:
            box = [0.0, 0.0, short(cells.rows * cells.side / size[0]), short(cells.cols * cells.side / size[1])]
        else:
            box = box_of(self.model.layer(name), cells, size)
        return schema.Place(name, cells.rows, cells.cols, box, packed(cells.sums(self.found.maps[name])))

    def layer(self, name: str, place: int) -> schema.ExplainLayer:
        found, words, groups = self.found, self.found.dictionaries[name], self.found.groups[name]
        cells, channels = self.cells(name), self.channels(name)
        page = self.pages.get(name)
        grid = None if found.pictures is None else found.pictures.grids[name]
        return schema.ExplainLayer(
            place=place,
            layer=None if page is None else page.layer,
            channels=channels,
            linked=[page is not None and each in page.channels for each in channels],
            icons=self.sprites(f"icons-{place}", self.pictures(name, channels)),
            maps=packed(cells.means(found.activations[name][channels])),
            cells=None if grid is None else self.sprites(f"cells-{place}", grid.pictures),
            grid=list(words.lengths.shape if grid is None else grid.lengths.shape),
            sides=packed(words.lengths if grid is None else grid.sides),
            words=words.channels.flatten(0, 1).tolist(),
            values=[shorts(each) for each in words.values.flatten(0, 1)],
            classes=_best(found.to_classes[name].flatten(1).T),
            ways=[self.way(name, way, channels) for way in WAYS],
            groups=[
                schema.GroupCard(shorts(effects), shorts(direction[channels]))
                for effects, direction in zip(groups.effects, groups.directions, strict=True)
            ],
            group_maps=packed(cells.means(groups.maps)),
            rest=shorts(groups.rest),
            explained=short(groups.explained),
        )

    def pictures(self, layer: str, channels: Sequence[int]) -> list[Float[Tensor, "c h w"]]:
        """Of the channels, then of the groups; none where none were made."""
        if self.found.pictures is None:
            return []
        made = self.icons.of_channels(layer, channels, progress=partial(self.progress, f"channels of {layer}"))
        return [*made.values(), *self.found.pictures.groups[layer]]

    def channels(self, layer: str) -> list[int]:
        """Those that say most in this picture or where the layer answers most, and those that give most to the classes or least."""
        words = self.found.dictionaries[layer]
        loudest = words.lengths.flatten().argsort(descending=True, stable=True)[:LOUDEST]
        chosen = dict.fromkeys([*words.vocabulary(VOCABULARY), *words.channels.flatten(0, 1)[loudest].flatten().tolist()])
        for way in ("linear", "path"):
            values = self.found.channels[layer, way].values
            count = min(ENDS, values.shape[1])
            for largest in (True, False):
                chosen |= dict.fromkeys(values.topk(count, largest=largest).indices.flatten().tolist())
        return sorted(chosen)

    def way(self, layer: str, way: Way, channels: Sequence[int]) -> schema.WayCard:
        found = self.found.channels[layer, way]
        return schema.WayCard(way, [shorts(row) for row in found.values[:, channels]], shorts(found.gained), shorts(found.error))

    def between(self) -> list[schema.Between]:
        names = (IMAGE, *self.found.layers)
        return [
            schema.Between(names.index(source), names.index(target), packed(values.flatten(2).flatten(0, 1)))
            for (source, target), values in self.found.between.items()
        ]

    def factors(self) -> list[schema.FactorCard]:
        factors = self.found.factors
        if factors is None:
            return []
        return [
            schema.FactorCard(best, [packed(factors.maps[layer][number]) for layer in self.found.layers])
            for number, best in enumerate(_best(factors.classes))
        ]

    def method(self, made: MethodMaps) -> schema.MethodCard:
        maps, entry = made.attribution.upsampled(), METHODS[made.name]
        coarse = cells_of((maps.shape[1], maps.shape[2]), FINEST).means(maps)
        layer = None if made.attribution.layer is None else made.attribution.layer.name
        return schema.MethodCard(made.name, entry.title, layer, packed(coarse), entry.by_target, _warning(made), _trust(made))

    def sprites(self, kind: str, pictures: Sequence[Float[Tensor, "c h w"] | None]) -> schema.Sprites | None:
        """Pictures on sheets, grey in place of those that there are not."""
        made = [each for each in pictures if each is not None]
        if not made:
            return None
        shown = [GREY if each is None else to_picture(each) for each in pictures]
        return write_sprites(self.site, f"explain-{self.id}-{kind}", shown, tile=min(TILE, max(made[0].shape[1:])))


def _best(values: Float[Tensor, "n k"]) -> list[list[schema.ClassValue]]:
    """For each row the classes with the largest values, best first."""
    best = values.topk(min(SUPPORTED, values.shape[1]))
    return [
        [schema.ClassValue(index, short(value)) for index, value in zip(indices, row, strict=True)]
        for indices, row in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]


def _warning(made: MethodMaps) -> str | None:
    if made.checks is None:
        return KNOWN_TO_FAIL if made.name == "guided" else None
    alike = made.checks.randomisation
    if not alike.fails:
        return None
    return (
        f"Fails the randomisation check: with the upper half of the network randomised the map stays much the same (rank "
        f"correlation {alike.halfway:.2f}). It cannot show what that half has learned."
    )


def _trust(made: MethodMaps) -> schema.Trust | None:
    seen = made.checks
    if seen is None:
        return None
    return schema.Trust(
        deletion=short(float(seen.deletion)),
        insertion=short(float(seen.insertion)),
        halfway=short(seen.randomisation.halfway),
        fails=seen.randomisation.fails,
        stability=short(float(seen.stability)),
        completeness=None if seen.completeness is None else short(float(seen.completeness)),
    )


def open_photo(path: Path, model: Model) -> Photo:
    """The centre of a picture file in the model's size, and the same twice as large where the file has as much.

    Raises:
        UsageError: there is no such file, or it is a folder.
        PellucidError: it cannot be read.
    """
    check_photo(path)
    try:
        return _photo(path.name, path, model)
    except PellucidError as error:
        raise PellucidError(f"{path}: {error}; give a picture that Pillow reads, as PNG or JPEG") from error


def read_photo(name: str, content: bytes, model: Model) -> Photo:
    """The same from what stands in a file, of the usual formats only, whatever its name says.

    Args:
        name: shown, and otherwise of no meaning.
        content: of the file.
        model: that will be asked.

    Raises:
        PellucidError: it cannot be read.

    Example:
        >>> import io
        >>> import pellucid.models as models
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (300, 200)).save(file, "PNG")
        >>> read_photo("sky.png", file.getvalue(), models.load("terrarium")).shown.size
        (192, 192)
    """
    try:
        return _photo(name, content, model, FORMATS)
    except PellucidError as error:
        raise PellucidError(f"{error}; give a JPEG, PNG, WebP, GIF, BMP or TIFF") from error


def _photo(name: str, source: Path | bytes, model: Model, formats: tuple[str, ...] | None = None) -> Photo:
    twice = (2 * model.size[0], 2 * model.size[1])
    small, large = (decode(source, size, model.channels, formats=formats) for size in (model.size, twice))
    size = twice if large.height >= twice[0] and large.width >= twice[1] else model.size
    return Photo(name, to_image(fit(small, model.size), model.channels), fit(large, size))
