"""The verbs that show what real pictures units answer to, from what a run has collected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Verb, a_path, options, report_options
from pellucid.cli.output import file_name, print_json, progress_bars
from pellucid.cli.runs import Collection, collection_options, open_collection, unit_named
from pellucid.cli.sheets import save_rows
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

    from pellucid.analysis.examples import Examples
    from pellucid.data.store import Store

SIDE, EVEN = 96, 32  # pixels of a crop on a sheet; units of a layer that is named without one

unit_options = options(
    click.argument("run", type=a_path),
    click.argument("units", metavar="UNIT...", nargs=-1, required=True),
    click.option("-o", "--output", type=a_path, required=True, help="Folder for a sheet of each layer."),
    collection_options,
)


@click.command(cls=Verb)
@unit_options
@click.option("-k", "count", type=click.IntRange(1), default=9, show_default=True, help="Examples a unit.")
@click.option("--least", is_flag=True, help="Those that excite it least instead.")
@report_options
def examples(
    run: Path,
    units: tuple[str, ...],
    output: Path,
    model: str | None,
    images: str | None,
    count: int,
    least: bool,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Show what in the pictures of RUN excites each UNIT most, cut to what the unit sees there.

    RUN is a run folder or a store. A UNIT is layer:channel, or a layer, for 32 of its channels.

    \b
    pellucid examples run mixed4a:7 mixed4b -o sheets
    """
    from pellucid.analysis.examples import top_examples

    collection = open_collection(run, model, images, source)
    found = [
        (layer, channels, [("", top_examples(collection.store, layer, count, least=least), None)])
        for layer, channels in _asked(collection.store, units).items()
    ]
    _report(collection, found, output, "least" if least else "examples", as_json, quiet)


@click.command(cls=Verb)
@unit_options
@click.option("-k", "count", type=click.IntRange(1), default=3, show_default=True, help="Examples from each part.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@report_options
def spectrum(
    run: Path,
    units: tuple[str, ...],
    output: Path,
    model: str | None,
    images: str | None,
    count: int,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Show what each UNIT answers from its least to its most: both ends, and even draws below, around and above zero.

    RUN is a run folder or a store. A UNIT is layer:channel, or a layer, for 32 of its channels.

    \b
    pellucid spectrum run mixed4a:7 -o sheets
    """
    from pellucid.analysis.spectrum import spectrum as buckets

    collection = open_collection(run, model, images, source)
    found = [
        (layer, channels, [(each.name, each.examples, each.share) for each in buckets(collection.store, layer, count, seed=seed)])
        for layer, channels in _asked(collection.store, units).items()
    ]
    _report(collection, found, output, "spectrum", as_json, quiet)


Parts = list[tuple[str, "Examples", Any]]  # name, examples of every channel, share of each channel's activations or None


def _asked(store: Store, units: Sequence[str]) -> dict[str, list[int]]:
    """The channels of each layer, in the order in which they were asked for."""
    found: dict[str, list[int]] = {}
    for text in units:
        unit = unit_named(text)
        layer = store.layer(text if unit is None else unit[0])
        step = max(1, math.ceil(layer.channels / EVEN))
        channels = range(0, layer.channels, step) if unit is None else [unit[1]]
        if channels[-1] >= layer.channels:
            raise UsageError(f"{text}: {layer.name} has the channels 0 to {layer.channels - 1}")
        found.setdefault(layer.name, []).extend(each for each in channels if each not in found.get(layer.name, []))
    return found


def _report(
    collection: Collection, found: Sequence[tuple[str, list[int], Parts]], output: Path, kind: str, as_json: bool, quiet: bool
) -> None:
    from pellucid.analysis.spectrum import constants

    said = []
    with progress_bars(quiet) as progress:
        for layer, channels, parts in found:
            same = constants(collection.store, layer)
            path, rows = output / f"{file_name(layer)}-{kind}.png", []
            for channel in channels:
                rows.append(_row(collection, layer, channel, parts, same.get(channel)))
                progress(layer, len(rows), len(channels))
            save_rows(path, [(_title(facts), crops) for facts, crops in rows], side=SIDE)
            said.append({"sheet": str(path), "layer": layer, "units": [facts for facts, _ in rows]})
    if as_json:
        print_json(said)
        return
    for each in said:
        for facts in each["units"]:
            click.echo(_title(facts))
        click.echo(each["sheet"])


def _row(
    collection: Collection, layer: str, channel: int, parts: Parts, constant: float | None
) -> tuple[dict[str, Any], list[list[Image.Image]]]:
    """What is said of a unit, and its pictures; none of one that answers the same everywhere, where any would do."""
    facts, crops = [], []
    for name, examples, share in parts if constant is None else ():
        columns = (getattr(examples, each)[channel].tolist() for each in ("values", "images", "rows", "cols"))
        there = [each for each in zip(*columns, strict=True) if each[1] >= 0]
        crops.append([collection.crop(layer, image, row, col) for _, image, row, col in there])
        listed = [{"value": value, **collection.named(image), "row": row, "col": col} for value, image, row, col in there]
        facts.append({"part": name, "share": None if share is None else float(share[channel]), "examples": listed})
    return {"unit": f"{layer}:{channel}", "constant": constant, "parts": facts}, crops


def _title(facts: dict[str, Any]) -> str:
    """The unit, the values from which to which each part goes, and how much of all activations it is."""
    if facts["constant"] is not None:
        return f"{facts['unit']}  {'constant' if facts['constant'] else 'silent'}: {facts['constant']:.4g} everywhere"
    parts = []
    for part in facts["parts"]:
        values = [each["value"] for each in part["examples"]]
        span = "nothing" if not values else f"{values[0]:.4g} to {values[-1]:.4g}"
        share = "" if part["share"] is None else f" ({part['share']:.1%})"
        parts.append(" ".join(filter(None, [part["part"], span])) + share)
    return f"{facts['unit']}  {' | '.join(parts)}"
