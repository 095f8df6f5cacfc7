"""The verbs from units to pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.cli.options import Verb, common_options, load_model, model_options
from pellucid.cli.output import file_name, print_json, progress_bars


@click.command(cls=Verb)
@model_options
@click.argument("units", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the pictures.")
@click.option("--steps", type=click.IntRange(1), default=128, show_default=True)
@click.option("--picture-size", type=click.IntRange(16), help="Pixels a side; by default what suits the layer.")
@click.option("--tries", type=click.IntRange(1), default=1, show_default=True, help="Keep the best of so many.")
@common_options
def render(
    model: str,
    units: tuple[str, ...],
    output: Path,
    steps: int,
    picture_size: int | None,
    tries: int,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Make a picture of what each UNIT looks for: layer:channel, layer:channel@row,col or class:NAME.

    \b
    pellucid render terrarium mixed4a:7 mixed4b:12 "class:fireboat" -o pictures
    """
    from pellucid.vis import render as render_units

    loaded = load_model(model, **source)
    with progress_bars(quiet) as progress:
        made = render_units(
            loaded,
            units,
            size=picture_size,
            steps=steps,
            tries=tries,
            seeds=seed,
            progress=lambda done, total: progress("pictures", done, total),
        )
    paths = [output / f"{index:03d}-{file_name(unit)}.png" for index, unit in enumerate(units)]
    for path, each in zip(paths, made, strict=True):
        each.save(path)
    rows = [{"unit": unit, "score": each.score, "file": str(path)} for unit, each, path in zip(units, made, paths, strict=True)]
    print_json(rows) if as_json else [click.echo(f"{row['file']}  {row['unit']}  {row['score']:.4g}") for row in rows]
