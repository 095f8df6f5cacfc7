"""The verb that groups the neurons of a layer, and shows each group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Verb, a_path, common_options
from pellucid.cli.output import file_name, print_json, progress_bars, say
from pellucid.cli.runs import Collection, collection_options, open_collection
from pellucid.cli.sheets import save_rows
from pellucid.files import writing

if TYPE_CHECKING:
    import numpy as np

    from pellucid.analysis.groups import Groups

SIDE, TOP = 96, 5  # pixels of a picture on the sheet; channels that are named
ROWS = 50_000  # samples at most that groups are made from


@click.command(cls=Verb)
@click.argument("run", type=a_path)
@click.argument("layer")
@click.option("-o", "--output", type=a_path, required=True, help="Folder for the sheet and the directions.")
@click.option("--count", type=click.IntRange(1), default=6, show_default=True, help="Groups.")
@click.option("--method", type=click.Choice(["nmf", "kmeans"]), default="nmf", show_default=True)
@click.option("--steps", type=click.IntRange(1), default=128, show_default=True, help="Of each group's picture.")
@click.option("-k", "shown", type=click.IntRange(1), default=8, show_default=True, help="Patches of each group.")
@collection_options
@common_options
def groups(
    run: Path,
    layer: str,
    output: Path,
    count: int,
    method: Any,
    steps: int,
    shown: int,
    model: str | None,
    images: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Group the neurons of LAYER that answer together, and show what each group looks for and where it is the strongest.

    RUN is a run folder or a store. Writes a sheet with a row for each group, its optimised picture first, and the groups'
    directions (one row each) as a numpy file.

    \b
    pellucid groups run mixed4a -o sheets --count 8
    """
    import numpy as np

    from pellucid.analysis.groups import groups as group
    from pellucid.arrays import to_picture
    from pellucid.vis import direction, render

    collection = open_collection(run, model, images, source)
    name = collection.store.layer(layer).name
    rows = _rows(len(collection.store), seed)
    if shown > len(collection.names):
        say(f"-k {shown}: a patch from each picture at most is shown, and {len(collection.names)} were collected")
    found = group(collection.store.vectors(name)[rows], count, method=method, seed=seed)
    with progress_bars(quiet) as progress:
        objectives = [direction(name, each) for each in found.directions]
        made = render(
            collection.model,
            objectives,
            steps=steps,
            seeds=seed,
            progress=lambda done, total: progress("pictures", done, total),
        )
    sheet, table = (output / f"{file_name(name)}-groups.{kind}" for kind in ("png", "npy"))
    facts = [_facts(found, number) for number in range(count)]
    pictures = [
        (_title(each), [[to_picture(one.image)], _patches(collection, name, rows, found.strengths[:, each["group"]], shown)])
        for each, one in zip(facts, made, strict=True)
    ]
    save_rows(sheet, pictures, side=SIDE)
    with writing(table) as temporary, temporary.open("wb") as file:
        np.save(file, found.directions)
    if as_json:
        summary = {"layer": name, "method": method, "explained": found.explained, "samples": len(rows)}
        print_json({**summary, "groups": facts, "sheet": str(sheet), "directions": str(table)})
        return
    click.echo(f"{name}: {count} groups by {method} give back {found.explained:.0%} of {len(rows)} samples")
    for each in facts:
        click.echo(f"  {_title(each)}")
    click.echo(f"{sheet}\n{table}")


def _rows(count: int, seed: int) -> np.ndarray:
    import numpy as np

    return np.sort(np.random.default_rng(seed).permutation(count)[:ROWS])


def _facts(found: Groups, number: int) -> dict[str, Any]:
    weights, own = found.directions[number], found.strengths[:, number]
    best = (-weights).argsort(kind="stable")[:TOP].tolist()
    return {
        "group": number,
        "share": float(own.sum() / found.strengths.sum()),
        "channels": [{"channel": channel, "weight": float(weights[channel])} for channel in best],
    }


def _title(facts: dict[str, Any]) -> str:
    channels = ", ".join(f"{each['channel']} ({each['weight']:.2f})" for each in facts["channels"])
    return f"group {facts['group']}, {facts['share']:.0%} of the strength; channels {channels}"


def _patches(collection: Collection, layer: str, rows: np.ndarray, strengths: np.ndarray, shown: int) -> list[Any]:
    """What the positions see where a group is the strongest, each picture once."""
    samples, places = collection.store.samples(), collection.store.positions(layer)
    taken: dict[int, int] = {}  # image -> row of the store
    pictures = samples["image"].to_numpy()
    for row in rows[(-strengths).argsort(kind="stable")].tolist():
        if len(taken) == shown:
            break
        taken.setdefault(int(pictures[row]), row)
    return [collection.crop(layer, image, *places[row].tolist()) for image, row in taken.items()]
