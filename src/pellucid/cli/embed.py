"""The verb that lays out a collection's pictures in the plane: a table of places, and a wall of pictures."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Verb, a_path, common_options
from pellucid.cli.output import file_name, print_json, progress_bars, say
from pellucid.cli.runs import open_pictures, open_store, picture
from pellucid.files import writing

if TYPE_CHECKING:
    from pellucid.analysis.picture_map import PictureMap
    from pellucid.data.store import Store

SIDE, WIDEST = 64, 4096  # pixels of a wall's picture, and of the wall's sides, at most
PLACES = ("layer", "map", "wall", "chance")


@click.command(cls=Verb)
@click.argument("run", type=a_path)
@click.option("-o", "--output", type=a_path, required=True, help="Folder for the table and the wall.")
@click.option("--layer", help="By default the last that was collected.")
@click.option("--method", type=click.Choice(["umap", "tsne", "pacmap", "pca"]), default="umap", show_default=True)
@click.option("--metric", type=click.Choice(["cosine", "euclidean"]), default="cosine", show_default=True)
@click.option("--most", type=click.IntRange(1), default=10_000, show_default=True, help="Pictures on the wall.")
@click.option("--images", help="Where the collection's pictures are now, if they were moved.")
@common_options
def embed(
    run: Path,
    output: Path,
    layer: str | None,
    method: Any,
    metric: Any,
    most: int,
    images: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Lay out the pictures of RUN, a run folder or a store, so that those lie together that a layer takes for alike.

    Writes where each lies (x, y, and row and col on the wall) as CSV, and the wall of pictures as PNG; where there are more than
    it shows, they are drawn from the seed. Says what the map is worth beside the layer itself and beside chance.

    \b
    pellucid embed run -o map --layer mixed4b --method tsne
    """
    from pellucid.analysis.picture_map import map_pictures

    store = open_store(run)
    name = store.layer(list(store.layers)[-1] if layer is None else layer).name
    with progress_bars(quiet) as progress:
        progress("layout", 0, 1)
        made = map_pictures(store, name, method=method, metric=metric, seed=seed, most=most)
        progress("layout", 1, 1)
        table, wall = (output / f"{file_name(f'{name}-{made.method}')}.{kind}" for kind in ("csv", "png"))
        _save_wall(wall, made, store, images, lambda done, total: progress("wall", done, total))
    _save_table(table, made)
    if made.lacking is not None:
        say(f"the answers of {name} to the pictures are {made.lacking}")
    shown = int((made.tiles[:, 0] >= 0).sum())
    if as_json:
        used = {"layer": name, "method": made.method, "lacking": made.lacking, "metric": metric}
        facts = {**used, "pictures": len(made.names), "shown": shown}
        confused = [asdict(pair) for pair in made.confused]
        print_json({**facts, "table": str(table), "wall": str(wall), "measures": made.measures, "confused": confused})
    else:
        _say(f"{name}, {made.method}: {len(made.names)} pictures, {shown} of them on a wall", made)
        click.echo(f"{table}\n{wall}")


def _say(head: str, made: PictureMap) -> None:
    click.echo(head)
    places = [place for place in PLACES if any(place in each for each in made.measures.values())]
    width = max(map(len, made.measures), default=0)
    if places:
        click.echo("  ".join([" " * width, *(f"{place:>6}" for place in places)]))
    for name, values in made.measures.items():
        cells = [f"{values[place]:6.3f}" if place in values else " " * 6 for place in places]
        click.echo("  ".join([f"{name:{width}}", *cells]).rstrip())
    for pair in made.confused:
        where = f"number {pair.closeness} of {pair.pairs} pairs by closeness on the map"
        click.echo(f"{pair.share:.0%} of {pair.first} and {pair.second} are taken for the other: {where}")


def _save_table(path: Path, made: PictureMap) -> None:
    with writing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "label", "x", "y", "row", "col"])
        for name, label, (x, y), tile in zip(made.names, made.labels, made.points, made.tiles, strict=True):
            writer.writerow([name, label, f"{x:.6f}", f"{y:.6f}", *("" if at < 0 else at for at in tile)])


def _save_wall(path: Path, made: PictureMap, store: Store, images: str | None, progress: Callable[[int, int], None]) -> None:
    """Each picture as it is decoded onto its tile: no more than the wall itself is held."""
    from PIL import Image

    rows, columns = made.size
    side = max(1, min(SIDE, WIDEST // max(rows, columns)))
    stream = open_pictures(store, images, size=(side, side))
    shown = (made.tiles[:, 0] >= 0).nonzero()[0].tolist()
    wall = Image.new("RGB", (columns * side, rows * side), "white")
    for done, at in enumerate(shown):
        index, (row, col) = int(made.images[at]), made.tiles[at].tolist()
        wall.paste(picture(stream, index, made.names[at]), (col * side, row * side))
        progress(done + 1, len(shown))
    with writing(path) as temporary:
        wall.save(temporary, format="PNG")
