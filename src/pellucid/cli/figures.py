"""The verb that makes every figure of Feature Visualization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.cli.options import Verb, a_path, common_options, load_model, model_options
from pellucid.cli.output import print_json, progress_bars
from pellucid.errors import UsageError


@click.command(cls=Verb)
@model_options
@click.argument("images", required=False)
@click.option("--labels", type=a_path, help="CSV with the columns file and class_index, or label.")
@click.option("-o", "--output", type=a_path, required=True, help="Folder for the page.")
@click.option("--layers", multiple=True, help="A low, a middle and a high layer; by default three that span the network.")
@click.option("--prior", help="A file of `pellucid prior` that learned such pictures; the terrarium brings its own.")
@click.option("--steps", type=click.IntRange(16), default=64, show_default=True, help="Optimisation steps a picture.")
@common_options
def figures(
    model: str,
    images: str | None,
    labels: Path | None,
    output: Path,
    layers: tuple[str, ...],
    prior: str | None,
    steps: int,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Make every figure of Feature Visualization for MODEL on one page, each with its claim and what was measured.

    IMAGES may be left out for the bundled network.

    \b
    pellucid figures terrarium -o figures
    pellucid figures nets/my.py:load photos -o figures --layers features.3 features.7 features.12
    """
    from pellucid.data.stream import open_stream
    from pellucid.figures.make import default_layers, make_figures
    from pellucid.vis.prior import load_prior

    if images is None and model.partition(":")[0] != "terrarium":
        raise UsageError("IMAGES: none came; give a folder of pictures that the network knows")
    loaded = load_model(model, **source)
    pictures = "terrarium:360" if images is None else images
    stream = open_stream(pictures, size=loaded.size, channels=loaded.channels, labels=labels, classes=loaded.classes)
    with progress_bars(quiet) as progress:
        made = make_figures(
            loaded,
            stream,
            output,
            layers=layers or default_layers(loaded),
            steps=steps,
            seed=seed,
            prior=None if prior is None else load_prior(prior, device=loaded.device),
            progress=lambda done, total: progress("figures", done, total),
        )
    page = output / "index.html"
    if as_json:
        print_json({"page": str(page), "figures": [{"key": each.key, "holds": each.holds, **each.numbers} for each in made]})
        return
    for each in made:
        click.echo(f"{ {True: 'holds', False: 'does not hold', None: 'open'}[each.holds] }: {each.title}: {each.measured}")
    click.echo(str(page))
