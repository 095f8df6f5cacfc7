"""The verb that finds what in a collection is like a picture, a part of one, or a unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Verb, a_path, common_options, load_photo
from pellucid.cli.output import file_name, print_json, progress_bars
from pellucid.cli.runs import collection_options, load_network, named_model, open_pictures, open_store, picture, unit_named
from pellucid.errors import PellucidError, UsageError
from pellucid.files import writing

if TYPE_CHECKING:
    from PIL import Image

    from pellucid.analysis.queries import Box
    from pellucid.analysis.search import Hit, Search
    from pellucid.data.store import Store
    from pellucid.models import Model

SIDE = 224  # pixels of a sheet's pictures where no network says which


@click.command(cls=Verb)
@click.argument("run", type=a_path)
@click.argument("queries", metavar="QUERY...", nargs=-1, required=True)
@collection_options
@click.option("--layer", help="For pictures; by default the last that was collected.")
@click.option("--box", nargs=4, type=int, help="Only this part of the picture: top left bottom right, in its pixels.")
@click.option("-k", "count", type=click.IntRange(1), default=10, show_default=True, help="Hits a query.")
@click.option("--metric", type=click.Choice(["cosine", "euclidean"]), default="cosine", show_default=True)
@click.option("--approximate/--exact", default=None, help="By default exact up to 500,000 rows, and without faiss.")
@click.option("-o", "--output", type=a_path, help="Folder for a sheet of each query's hits.")
@common_options
def search(
    run: Path,
    queries: tuple[str, ...],
    model: str | None,
    layer: str | None,
    box: Box | None,
    count: int,
    metric: Any,
    approximate: bool | None,
    output: Path | None,
    images: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Find what in RUN, a run folder or a store, is nearest to each QUERY, the file of a picture or layer:channel.

    A picture is compared with whole pictures, a part of one (--box) or a unit with the positions that were sampled.

    \b
    pellucid search run photo.jpg mixed4a:7 -k 8 -o found
    pellucid search run photo.jpg --box 40 10 90 80
    """
    from pellucid.analysis.search import open_search

    store = open_store(run)
    asked = [_parsed(each, store, layer, box) for each in queries]
    spec = named_model(store) if model is None else model
    loaded = None
    if any(each.channel is None for each in asked) or (output is not None and spec is not None):
        loaded = load_network(spec, store, "which a picture has to go through", **source)
        store = store.named(loaded.classes)
    rows = []
    with progress_bars(quiet) as progress:
        for each in asked:
            opened = open_search(store, each.layer, whole=each.whole, metric=metric, approximate=approximate, seed=seed)
            hits = opened.hits(each.vector(store, loaded), count)
            sheet = None
            if output is not None:
                sheet = output / f"{file_name(Path(each.text).stem if each.channel is None else each.text)}-hits.png"
                _save_sheet(sheet, each, hits, store, loaded, images)
            rows.append(_facts(each, opened, hits, sheet))
            progress("queries", len(rows), len(asked))
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            _say(row)


@dataclass(frozen=True)
class Query:
    """What was asked: a unit, or a picture with or without a box."""

    text: str
    layer: str
    channel: int | None
    box: Box | None

    @property
    def whole(self) -> bool:
        return self.channel is None and self.box is None

    def vector(self, store: Store, model: Model | None) -> Any:
        from pellucid.analysis.queries import picture_vector, unit_vector

        if self.channel is not None:
            return unit_vector(store, self.layer, self.channel)
        assert model is not None
        image = load_photo(Path(self.text), model, None, 1, True)
        return picture_vector(model, self.layer, image, self.part(model))

    def part(self, model: Model) -> Box | None:
        """The box in pixels of what the network sees: the picture's centre in the model's size."""
        if self.box is None:
            return None
        width, height = _size(Path(self.text))
        top, left, bottom, right = self.box
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise UsageError(
                f"--box: {self.box} is not within the {height} x {width} pixels of {self.text}; give top left bottom right"
            )
        scale = min(height / model.size[0], width / model.size[1])
        spans = []
        for first, last, side, seen in ((top, bottom, height, model.size[0]), (left, right, width, model.size[1])):
            away = (side - seen * scale) / 2
            span = max(0, int((first - away) / scale)), min(seen, -int((away - last) // scale))
            if span[0] >= span[1]:
                raise UsageError(f"--box: {self.box} lies outside of the centre of {self.text}, which is all that the network sees")
            spans.append(span)
        return spans[0][0], spans[1][0], spans[0][1], spans[1][1]


def _parsed(text: str, store: Store, layer: str | None, box: Box | None) -> Query:
    unit, there, known = unit_named(text), text != "" and Path(text).exists(), list(store.layers)
    if unit is None and not there:
        named = text if text in known else known[-1]
        raise UsageError(f"{text!r}: no such file, and no unit; give the path of a picture, or layer:channel, such as {named}:0")
    if unit is None or there:
        return Query(text, store.layer(known[-1] if layer is None else layer).name, None, box)
    if box is not None:
        raise UsageError(f"--box: {text} is a unit; a box is a part of a picture, leave it out")
    return Query(text, store.layer(unit[0]).name, unit[1], None)


def _size(path: Path) -> tuple[int, int]:
    """Width and height of a picture, upright."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            return ImageOps.exif_transpose(picture).size
    except OSError as error:
        raise PellucidError(f"{path}: {error}; give a picture that Pillow reads, as PNG or JPEG") from error


def _facts(query: Query, opened: Search, hits: Sequence[Hit], sheet: Path | None) -> dict[str, Any]:
    index = opened.index
    return {
        "query": query.text,
        "layer": query.layer,
        "among": "pictures" if query.whole else "positions",
        "metric": index.metric,
        "exact": index.exact,
        "recall": index.recall,
        "sheet": None if sheet is None else str(sheet),
        "hits": [asdict(hit) for hit in hits],
    }


def _say(row: dict[str, Any]) -> None:
    from pellucid.analysis.index import AT

    kind = "exact" if row["exact"] else f"approximate, recall@{AT} {row['recall']:.3f}"
    click.echo(f"{row['query']}: nearest {row['among']} in {row['layer']}, {row['metric']}, {kind}")
    width = max(len(hit["name"]) for hit in row["hits"])
    for hit in row["hits"]:
        place = "" if hit["row"] is None else f"  {hit['row']},{hit['col']}"
        click.echo(
            f"  {hit['distance']:.4f}  {hit['name']:{width}}{place}  {'' if hit['label'] is None else hit['label']}".rstrip()
        )
    if row["sheet"] is not None:
        click.echo(f"  {row['sheet']}")


def _save_sheet(path: Path, query: Query, hits: Sequence[Hit], store: Store, model: Model | None, images: str | None) -> None:
    """The query's picture first, then the hits; boxes are around what was asked for and what the found positions see."""
    from pellucid.analysis.examples import crop_box
    from pellucid.arrays import contact_sheet, to_picture

    size = (SIDE, SIDE) if model is None else model.size
    stream = open_pictures(store, images, size=size, channels=3 if model is None else model.channels)
    pictures = []
    if query.channel is None and model is not None:
        asked = to_picture(load_photo(Path(query.text), model, None, 1, True)).convert("RGB")
        pictures.append(_boxed(asked, query.part(model)))
    for hit in hits:
        shown, box = picture(stream, hit.image, hit.name), None
        if hit.row is not None and hit.col is not None and model is not None:
            box = crop_box(model.layer(query.layer), hit.row, hit.col, size)
        pictures.append(_boxed(shown, box))
    with writing(path) as temporary:
        contact_sheet(pictures, columns=min(len(pictures), 6), gap=4).save(temporary, format="PNG")


def _boxed(picture: Image.Image, box: Box | None) -> Image.Image:
    from PIL import ImageDraw

    if box is not None:
        top, left, bottom, right = box
        draw = ImageDraw.Draw(picture)
        draw.rectangle((left, top, right - 1, bottom - 1), outline="black", width=3)
        draw.rectangle((left + 1, top + 1, right - 2, bottom - 2), outline="white", width=1)
    return picture
