"""The verbs from pictures to activations on disk."""

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
@click.option("--layers", multiple=True, required=True, help="One or more layers.")
@click.option("--positions", type=click.IntRange(1), default=1, show_default=True, help="Sampled positions a picture.")
@click.option("--examples", type=click.IntRange(1), default=9, show_default=True, help="Pictures kept of each channel's two ends.")
@common_options
def collect(
    model: str,
    images: str,
    labels: Path | None,
    output: Path,
    layers: tuple[str, ...],
    positions: int,
    examples: int,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Collect what LAYERS of MODEL answer to IMAGES, into a store on disk: samples, examples, histograms, means.

    \b
    pellucid collect terrarium terrarium:1600 -o run --layers mixed4a mixed4b
    """
    from pellucid.analysis.observers import observers
    from pellucid.data.collect import collect as collect_store
    from pellucid.data.stream import open_stream

    loaded = load_model(model, **source)
    stream = open_stream(images, size=loaded.size, channels=loaded.channels, labels=labels, classes=loaded.classes)
    with progress_bars(quiet) as progress:
        store = collect_store(
            loaded,
            stream,
            layers,
            output / "store",
            positions=positions,
            seed=seed,
            observers=observers(examples),
            progress=lambda done, total: progress("collect", done, total),
        )
    facts = {"store": str(store.folder), "samples": len(store), "layers": store.layers, "skipped": store.skipped}
    print_json(facts) if as_json else click.echo(f"{store.folder}: {len(store)} samples of {', '.join(layers)}")
    say_skipped(store.skipped)
