"""The verbs that make a site, and serve it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.cli.options import Verb, a_path, common_options, image_options, load_model, model_options
from pellucid.cli.output import print_json, progress_bars, say_skipped


@click.command(cls=Verb)
@model_options
@image_options
@click.option("-o", "--output", type=a_path, required=True, help="The run folder.")
@click.option("--layers", multiple=True, help="One or more layers; by default three that span the network.")
@click.option("--units", type=click.IntRange(1), help="Channels a layer, evenly spread; by default what suits the machine.")
@click.option("--steps", type=click.IntRange(1), help="Optimisation steps a picture.")
@click.option("--grid", type=click.IntRange(2), multiple=True, help="Cells a side of the atlas, coarse to fine; two by default.")
@click.option("--positions", type=click.IntRange(1), help="Sampled positions a picture; by default what fills the atlas.")
@click.option("--masks", type=a_path, help="Folder of indexed PNGs, one of each picture's name, and concepts.csv (number, name).")
@click.option("--explain", type=a_path, multiple=True, help="Photos that get a page on why the network says what it says of them.")
@common_options
def build(
    model: str,
    images: str,
    labels: Path | None,
    output: Path,
    layers: tuple[str, ...],
    units: int | None,
    steps: int | None,
    grid: tuple[int, ...],
    positions: int | None,
    masks: Path | None,
    explain: tuple[Path, ...],
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Build the whole site for MODEL and IMAGES into OUTPUT/site. Interrupted, the same command goes on where it stopped.

    With --masks, units are compared with what the pictures show where; of the terrarium this is known.

    \b
    pellucid build terrarium terrarium:1600 -o run
    pellucid build nets/my.py:load photos -o run --layers features.7 features.12 --units 32
    """
    from pellucid.analysis.concepts import folder_concepts
    from pellucid.build import build_site, make_plan
    from pellucid.data.stream import open_stream
    from pellucid.site.explanation import open_photo

    loaded = load_model(model, **source)
    stream = open_stream(images, size=loaded.size, channels=loaded.channels, labels=labels, classes=loaded.classes)
    plan = make_plan(
        loaded, stream, layers=layers or None, units=units, steps=steps, grids=grid or None, positions=positions, seed=seed
    )
    concepts = None if masks is None else folder_concepts(images, masks, size=loaded.size, channels=loaded.channels)
    photos = [open_photo(each, loaded) for each in explain]
    with progress_bars(quiet) as progress:
        result = build_site(loaded, stream, output, plan, concepts=concepts, photos=photos, progress=progress)
    print_json(result.facts()) if as_json else click.echo(str(result.index))
    say_skipped(result.skipped)


@click.command(cls=Verb)
@click.argument("run", type=a_path)
@click.option("--host", default="127.0.0.1", show_default=True, help="Nothing else than this machine can reach the default.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
def serve(run: Path, host: str, port: int) -> None:
    """Serve the site of a RUN on this machine until Ctrl-C.

    \b
    pellucid serve run
    """
    from pellucid.site.server import serve as serve_site

    serve_site(run, host=host, port=port, on_ready=lambda address: click.echo(f"{address}  (Ctrl-C ends it)"))
