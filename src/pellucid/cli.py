"""The command line: parse, call one function, print. Nothing heavy is imported before a verb needs it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.errors import PellucidError

if TYPE_CHECKING:
    from pellucid.models import Model

Progress = Callable[[str, int, int], None]


class Verb(click.Command):
    """A command whose repeatable options also take several values at once: `--layers conv1 conv2`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        many = {name for each in self.params if isinstance(each, click.Option) and each.multiple for name in each.opts}
        return super().parse_args(ctx, _spread(args, many))


def _spread(args: Sequence[str], many: set[str]) -> list[str]:
    """Repeat a repeatable option's name before each of the values that follow it.

    >>> _spread(["a", "--grid", "8", "16", "-o", "b"], {"--grid"})
    ['a', '--grid', '8', '--grid', '16', '-o', 'b']
    """
    spread, current, first = [], None, False
    for arg in args:
        if arg.startswith("-") and not arg.lstrip("-").replace(".", "").isdigit():
            current, first = (arg, True) if arg in many else (None, False)
        elif current and not first:
            spread.append(current)
        else:
            first = False
        spread.append(arg)
    return spread


def _options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for each in reversed(decorators):
            function = each(function)
        return function

    return decorate


model_options = _options(
    click.argument("model"),
    click.option("--weights", type=click.Path(path_type=Path), help="safetensors, or a torch file without code."),
    click.option("--classes", type=click.Path(path_type=Path), help="Class names: CSV with class_index and name, or one a line."),
    click.option("--mean", help="What the network subtracts, a number a channel: 0.485,0.456,0.406."),
    click.option("--std", help="What the network divides by, a number a channel."),
    click.option("--size", help="Input size in pixels: 224, or 192x256 (height x width)."),
    click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps."),
)
common_options = _options(
    click.option("--seed", type=int, default=0, show_default=True),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    click.option("--quiet", is_flag=True, help="No progress."),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="pellucid")
def cli() -> None:
    """See what a vision network has learned.

    A MODEL is `terrarium` (the bundled network), path/to/file.py:factory, torchvision:NAME, timm:NAME or hf:ORG/NAME.
    IMAGES is a folder of pictures (sub-folders are labels) or `terrarium[:COUNT]`.

    \b
    pellucid build terrarium terrarium:1600 -o run      a whole site: run/site/index.html
    pellucid layers terrarium                           what there is to look at
    """


@cli.command(cls=Verb)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def layers(model: str, as_json: bool, **source: Any) -> None:
    """List the layers of MODEL: name, kind, shape, receptive field.

    \b
    pellucid layers terrarium
    """
    loaded = _load(model, **source)
    if as_json:
        _print_json([_layer_facts(each) for each in loaded.layers.values()])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("layer", "kind", "channels", "height × width", "receptive field", "stride", "offset", box=None)
    for each in loaded.layers.values():
        field = each.receptive_field
        cells = (_pair(field.size), _pair(field.stride), _pair(field.offset)) if field else ("whole picture", "", "")
        table.add_row(each.name, each.kind, str(each.channels), f"{each.height} × {each.width}", *cells)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


@cli.command(cls=Verb)
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

    loaded = _load(model, **source)
    with _progress(quiet) as progress:
        made = render_units(
            loaded,
            units,
            size=picture_size,
            steps=steps,
            tries=tries,
            seeds=seed,
            progress=lambda done, total: progress("pictures", done, total),
        )
    paths = [output / f"{index:03d}-{_file_name(unit)}.png" for index, unit in enumerate(units)]
    for path, each in zip(paths, made, strict=True):
        each.save(path)
    rows = [{"unit": unit, "score": each.score, "file": str(path)} for unit, each, path in zip(units, made, paths, strict=True)]
    _print_json(rows) if as_json else [click.echo(f"{row['file']}  {row['unit']}  {row['score']:.4g}") for row in rows]


image_options = _options(
    click.argument("images"),
    click.option("--labels", type=click.Path(path_type=Path), help="CSV with the columns file and class_index, or label."),
)


@cli.command(cls=Verb)
@model_options
@image_options
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The run folder.")
@click.option("--layers", multiple=True, required=True, help="One or more layers.")
@click.option("--positions", type=click.IntRange(1), default=1, show_default=True, help="Sampled positions a picture.")
@common_options
def collect(
    model: str,
    images: str,
    labels: Path | None,
    output: Path,
    layers: tuple[str, ...],
    positions: int,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Sample what LAYERS of MODEL answer to IMAGES, into a store on disk.

    \b
    pellucid collect terrarium terrarium:1600 -o run --layers mixed4a mixed4b
    """
    from pellucid.data.collect import collect as collect_store
    from pellucid.data.stream import open_stream

    loaded = _load(model, **source)
    stream = open_stream(images, size=loaded.size, channels=loaded.channels, labels=labels, classes=loaded.classes)
    with _progress(quiet) as progress:
        store = collect_store(
            loaded,
            stream,
            layers,
            output / "store",
            positions=positions,
            seed=seed,
            progress=lambda done, total: progress("collect", done, total),
        )
    facts = {"store": str(store.folder), "samples": len(store), "layers": store.layers, "skipped": store.skipped}
    _print_json(facts) if as_json else click.echo(f"{store.folder}: {len(store)} samples of {', '.join(layers)}")
    _say_skipped(store.skipped)


@cli.command(cls=Verb)
@model_options
@image_options
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The run folder.")
@click.option("--layers", multiple=True, help="One or more layers; by default three that span the network.")
@click.option("--units", type=click.IntRange(1), help="Channels a layer, evenly spread; by default what suits the machine.")
@click.option("--steps", type=click.IntRange(1), help="Optimisation steps a picture.")
@click.option("--grid", type=click.IntRange(2), multiple=True, help="Cells a side of the atlas, coarse to fine; two by default.")
@click.option("--positions", type=click.IntRange(1), help="Sampled positions a picture; by default what fills the atlas.")
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
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Build the whole site for MODEL and IMAGES into OUTPUT/site. Interrupted, the same command goes on where it stopped.

    \b
    pellucid build terrarium terrarium:1600 -o run
    pellucid build nets/my.py:load photos -o run --layers features.7 features.12 --units 32
    """
    from pellucid.build import build_site, make_plan
    from pellucid.data.stream import open_stream

    loaded = _load(model, **source)
    stream = open_stream(images, size=loaded.size, channels=loaded.channels, labels=labels, classes=loaded.classes)
    plan = make_plan(
        loaded, stream, layers=layers or None, units=units, steps=steps, grids=grid or None, positions=positions, seed=seed
    )
    with _progress(quiet) as progress:
        result = build_site(loaded, stream, output, plan, progress=progress)
    _print_json(result.facts()) if as_json else click.echo(str(result.index))
    _say_skipped(result.skipped)


@cli.command(cls=Verb)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Nothing else than this machine can reach the default.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
def serve(run: Path, host: str, port: int) -> None:
    """Serve the site of a RUN on this machine until Ctrl-C.

    \b
    pellucid serve run
    """
    from pellucid.site.server import serve as serve_site

    serve_site(run, host=host, port=port, on_ready=lambda address: click.echo(f"{address}  (Ctrl-C ends it)"))


def main() -> None:
    """The command line: exit status 0 done, 2 wrong use, 1 failed."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _leave("interrupted; the same command goes on where it stopped", 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PellucidError as error:
        _leave(str(error), error.exit_code)
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _leave(message: str, status: int) -> None:
    click.echo(f"pellucid: {' '.join(message.split())}", err=True)
    sys.exit(status)


def _load(
    model: str, *, weights: Path | None, classes: Path | None, mean: str | None, std: str | None, size: str | None, device: str
) -> Model:
    from pellucid.models import load

    return load(
        model,
        weights=weights,
        classes=classes,
        mean=_numbers("--mean", mean),
        std=_numbers("--std", std),
        size=_size(size),
        device=device,
    )


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    try:
        return None if text is None else tuple(float(each) for each in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of numbers like 0.5,0.5,0.5", param_hint=option) from None


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and (width or height).isdigit() and int(height) and int(width or height)):
        raise click.BadParameter(f"{text!r} is neither like 224 nor like 192x256", param_hint="--size")
    return int(height), int(width or height)


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    """A bar with an estimate for each stage that reports, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet) as bars:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


def _layer_facts(layer: Any) -> dict[str, Any]:
    field = layer.receptive_field
    shape = {"name": layer.name, "kind": layer.kind, "channels": layer.channels, "height": layer.height, "width": layer.width}
    return {
        **shape,
        "receptive_field": None if field is None else {"size": field.size, "stride": field.stride, "offset": field.offset},
    }


def _say_skipped(skipped: Sequence[tuple[str, str]]) -> None:
    if skipped:
        click.echo(f"pellucid: skipped {len(skipped)} files; the first, {skipped[0][0]}: {skipped[0][1]}", err=True)


def _pair(values: Sequence[float]) -> str:
    return " × ".join(f"{each:g}" for each in values)


def _file_name(unit: str) -> str:
    return "".join(each if each.isalnum() or each in "-_." else "-" for each in unit)[:80]


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=1))


if __name__ == "__main__":
    main()
