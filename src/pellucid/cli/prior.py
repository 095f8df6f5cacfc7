"""The verb that learns what pictures are like."""

from __future__ import annotations

from pathlib import Path

import click

from pellucid.cli.making import seen
from pellucid.cli.options import Verb, a_path, check_ending, common_options
from pellucid.cli.output import print_json, progress_bars, say_skipped
from pellucid.errors import UsageError


@click.command(cls=Verb)
@click.argument("images")
@click.option("-o", "--output", type=a_path, required=True, help="File to write, which ends in .safetensors.")
@click.option(
    "--side", type=click.IntRange(8), default=48, show_default=True, help="Pixels of the pictures it learns: a multiple of 8."
)
@click.option("--steps", type=click.IntRange(1), default=9000, show_default=True, help="Of training, with 32 pictures each.")
@click.option("--grey", is_flag=True, help="For networks that take grey pictures.")
@click.option("--no-mirror", is_flag=True, help="For pictures whose mirror images mean something else, as digits.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps.")
@common_options
def prior(
    images: str,
    output: Path,
    side: int,
    steps: int,
    grey: bool,
    no_mirror: bool,
    device: str,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Learn what IMAGES are like, some thousands of them, so that `pellucid render --prior` stays near to that.

    \b
    pellucid prior photos -o photos.safetensors
    pellucid render terrarium mixed4b:12 -o pictures --prior photos.safetensors
    """
    from pellucid.data.stream import open_stream
    from pellucid.models.sources import find_device
    from pellucid.vis.prior import train_prior

    check_ending(output, ".safetensors")
    if side % 8:
        raise UsageError(f"--side: {side} is no multiple of 8; {side - side % 8} and {side - side % 8 + 8} are")
    stream = open_stream(images, size=(side, side), channels=1 if grey else 3)
    try:
        with progress_bars(quiet) as progress:
            learned = train_prior(
                seen(stream, "read", progress),
                size=side,
                steps=steps,
                seed=seed,
                mirror=not no_mirror,
                device=find_device(device),
                progress=lambda done, total: progress("train", done, total),
            )
    finally:
        say_skipped(stream.skipped)
    learned.save(output)
    pictures = learned.settings["pictures"]
    print_json({"file": str(output), "side": side, **learned.settings}) if as_json else click.echo(
        f"{output}  learned from {pictures} pictures of {side} × {side} px"
    )
