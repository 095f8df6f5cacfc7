"""The verb that trains a sparse autoencoder of a collected layer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from pellucid.cli.options import Verb, a_path, check_ending, common_options
from pellucid.cli.output import print_json, progress_bars
from pellucid.cli.runs import open_store


@click.command(cls=Verb)
@click.argument("run", type=a_path)
@click.argument("layer")
@click.option("-o", "--output", type=a_path, required=True, help="File to write, which ends in .safetensors.")
@click.option("--features", type=click.IntRange(1), default=512, show_default=True, help="Mostly several times the channels.")
@click.option("-k", type=click.IntRange(1), default=8, show_default=True, help="Features that answer at once.")
@click.option("--steps", type=click.IntRange(1), default=2000, show_default=True, help="Of training.")
@common_options
def sparse(run: Path, layer: str, output: Path, features: int, k: int, steps: int, seed: int, as_json: bool, quiet: bool) -> None:
    """Learn features of LAYER, of which a few at a time make up what it answers: a sparse autoencoder (top-k).

    RUN is a run folder or a store. With --sparse FILE every verb that takes a MODEL has the features as channels of LAYER.sparse.

    \b
    pellucid sparse run mixed4a -o features.safetensors
    pellucid render terrarium --sparse features.safetensors mixed4a.sparse:12 -o pictures
    """
    from pellucid.analysis.sparse import train_features

    check_ending(output, ".safetensors")
    with progress_bars(quiet) as progress:
        trained, fit = train_features(
            open_store(run),
            layer,
            features,
            k=k,
            steps=steps,
            seed=seed,
            progress=lambda done, total: progress("sparse", done, total),
        )
    trained.save(output)
    if as_json:
        print_json({"file": str(output), "layer": layer, "features": features, "k": k, **asdict(fit)})
        return
    samples = f"{fit.aside} samples kept aside" if fit.aside else "the samples it learned from"
    click.echo(f"{output}: {features} features of {layer}, {k} at once")
    click.echo(f"  give back {fit.explained:.1%} of the variance of {samples}; {fit.dead} never answer")
