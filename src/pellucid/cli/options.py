"""The options that verbs share, and what they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.errors import PellucidError, UsageError
from pellucid.files import check_photo

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from pellucid.models import Model


class Verb(click.Command):
    """A command whose repeatable options also take several values at once, `--layers conv1 conv2`; it knows units with a minus."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        many = {name for each in self.params if isinstance(each, click.Option) and each.multiple for name in each.opts}
        try:
            return super().parse_args(ctx, _spread(args, many))
        except click.NoSuchOption as error:
            units = [each for each in args if re.match("-[^-].*:", each) and error.option_name[1] in each]
            if units and not error.option_name.startswith("--"):
                raise click.UsageError(
                    f"{units[0]!r} begins like an option; put the units last, behind --, as in: -- {units[0]}", ctx
                ) from error
            raise


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


def options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for each in reversed(decorators):
            function = each(function)
        return function

    return decorate


a_path = click.Path(path_type=Path)
source_options = options(
    click.option("--weights", type=a_path, help="safetensors, or a torch file without code."),
    click.option("--classes", type=a_path, help="Class names: CSV with class_index and name, or one a line."),
    click.option("--mean", help="What the network subtracts, a number a channel: 0.485,0.456,0.406."),
    click.option("--std", help="What the network divides by, a number a channel."),
    click.option("--size", help="Input size in pixels: 224, or 192x256 (height x width)."),
    click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps."),
    click.option("--sparse", type=a_path, help="What `pellucid sparse` wrote: its features are a layer too, LAYER.sparse."),
)
model_options = options(click.argument("model"), source_options)
report_options = options(
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    click.option("--quiet", is_flag=True, help="No progress."),
)
common_options = options(click.option("--seed", type=click.IntRange(0), default=0, show_default=True), report_options)
image_options = options(
    click.argument("images"),
    click.option("--labels", type=a_path, help="CSV with the columns file and class_index, or label."),
)


def output_options(sides: int) -> Callable[[Any], Any]:
    """Where pictures go and how large they are: by default so many times the model's own side."""
    default = "twice the model's" if sides == 2 else "the model's"
    return options(
        click.option("-o", "--output", type=a_path, required=True, help="Folder for the pictures."),
        click.option("--picture-size", type=click.IntRange(16), help=f"Longer side in pixels, at most; by default {default}."),
        click.option("--crop", is_flag=True, help="Cut out the centre in the model's size, for networks that take no other."),
    )


def refuse(option: str, others: Sequence[str], why: str) -> None:
    """Refuse options that came along with one that leaves them without a meaning.

    Raises:
        UsageError: one of the others was given.
    """
    context = click.get_current_context()
    for each in context.command.params:
        if each.opts[-1] in others and context.get_parameter_source(str(each.name)) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"{each.opts[-1]}: {why}; leave out {each.opts[-1]} or {option}")


def load_model(
    model: str,
    *,
    weights: Path | None,
    classes: Path | None,
    mean: str | None,
    std: str | None,
    size: str | None,
    device: str,
    sparse: Path | None,
) -> Model:
    from pellucid.models import load
    from pellucid.models.autoencoder import SparseAutoencoder
    from pellucid.models.extended import extend

    loaded = load(
        model,
        weights=weights,
        classes=classes,
        mean=_numbers("--mean", mean),
        std=_numbers("--std", std),
        size=_size(size),
        device=device,
    )
    return loaded if sparse is None else extend(loaded, SparseAutoencoder.open(sparse))


def load_photo(path: Path, model: Model, side: int | None, sides: int, crop: bool) -> Float[Tensor, "c h w"]:
    """The picture of a file, no larger than `side` pixels (None: so many times the model's), or its centre in the model's size."""
    from pellucid.arrays import to_image
    from pellucid.data.decode import decode, fit

    longest = sides * max(model.size) if side is None else side
    check_photo(path)
    try:
        picture = decode(path, model.size if crop else (longest, longest), model.channels)
    except PellucidError as error:
        raise PellucidError(f"{path}: {error}; give a picture that Pillow reads, as PNG or JPEG") from error
    scale = min(1.0, longest / max(picture.size))
    size = model.size if crop else (max(1, round(picture.height * scale)), max(1, round(picture.width * scale)))
    return to_image(fit(picture, size), model.channels)


def check_ending(path: Path, ending: str) -> None:
    """Refuse a file to write whose name ends otherwise.

    Raises:
        UsageError: it does.
    """
    if path.suffix != ending:
        raise UsageError(f"--output: {path} does not end in {ending}; give the name of a file that does")


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
