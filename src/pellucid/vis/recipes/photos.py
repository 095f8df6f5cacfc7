"""What the recipes ask of photographs: what layers answer to one, and how like two pictures are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from pellucid.errors import UsageError
from pellucid.models.capture import capture
from pellucid.models.model import Model

WINDOW, SD = 11, 1.5  # pixels, of the Gaussian under which structures are compared: Wang et al. 2004, section III-C
STEADY = (0.01**2, 0.03**2)  # the constants that keep the ratios from 0 / 0, for values in [0, 1]

Progress = Callable[[int, int], None]


def checked(image: Float[Tensor, "c h w"], model: Model, what: str = "image") -> Float[Tensor, "c h w"]:
    """The picture, if it is one for this model.

    Raises:
        UsageError: another shape or type, or values outside [0, 1].
    """
    wanted = f"a floating-point picture in [0, 1] of shape ({model.channels}, h, w) is wanted"
    if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] != model.channels or not image.is_floating_point():
        came = f"{image.dtype} of shape {tuple(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
        raise UsageError(f"{what}: {came}; {wanted}")
    low, high = image.aminmax()
    if not (low >= 0 and high <= 1):
        raise UsageError(f"{what}: values from {low:g} to {high:g}; {wanted}")
    return image.detach()


def features(model: Model, image: Float[Tensor, "c h w"], layers: Sequence[str]) -> dict[str, Float[Tensor, "_ _ _"]]:
    """What each layer answers to one picture, on the CPU.

    Raises:
        NotFoundError: no such layer.
        UsageError: the network refuses a picture of this size.

    >>> import pellucid.models as models
    >>> features(models.load("terrarium"), torch.rand(3, 128, 96), ["conv1"])["conv1"].shape
    torch.Size([32, 64, 48])
    """
    for name in layers:
        model.layer(name)
    try:
        with torch.no_grad():
            return {name: maps[0].float().cpu() for name, maps in capture(model, image[None], layers).items()}
    except (RuntimeError, ValueError, AssertionError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        has, wants = (" × ".join(map(str, size)) for size in (image.shape[1:], model.size))
        reason = str(error).splitlines()[0]
        raise UsageError(f"image: {model.name} refuses {has} px ({reason}); give a picture of its own size, {wants}") from error


def recovered(maps: Float[Tensor, "..."], wanted: Float[Tensor, "..."]) -> float:
    """How much of some numbers others have: 1 minus the distance relative to their length; 0 is as far as silence.

    >>> recovered(torch.tensor([3.0, 0.0]), torch.tensor([3.0, 4.0])), recovered(torch.zeros(2), torch.ones(2))
    (0.19999998807907104, 0.0)
    """
    return float(1 - (maps - wanted).norm() / wanted.norm().clamp(min=1e-12))


def correlation(first: Float[Tensor, "..."], second: Float[Tensor, "..."]) -> float:
    """Pearson's correlation of all values, from -1 to 1; 0 where one of the two is constant.

    >>> round(correlation(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([5.0, 7.0, 9.0])), 6)
    1.0
    """
    first, second = first - first.mean(), second - second.mean()
    return float((first * second).sum() / (first.norm() * second.norm()).clamp(min=1e-12))


def ssim(first: Float[Tensor, "c h w"], second: Float[Tensor, "c h w"]) -> float:
    """The mean structural similarity of two pictures in [0, 1] (Wang et al. 2004, equation 13), over all channels: 1 for the same.

    Local means, variances and covariances are taken under a Gaussian of 1.5 px, wherever its 11 × 11 window lies inside.

    Args:
        first: c h w, at least 11 × 11.
        second: of the same shape.

    Raises:
        UsageError: the shapes differ, or are too small.

    >>> picture = torch.linspace(0, 1, 400).reshape(1, 20, 20)
    >>> ssim(picture, picture), round(ssim(picture, 1 - picture), 2)
    (1.0, -0.73)
    """
    if first.shape != second.shape or min(first.shape[1:]) < WINDOW:
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise UsageError(f"pictures of one shape, at least {WINDOW} × {WINDOW}, can be compared, not {shapes}")
    offsets = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(offsets**2) / (2 * SD**2))
    weights = weights / weights.sum()

    def local(values: Float[Tensor, "c h w"]) -> Float[Tensor, "c p q"]:
        return conv2d(conv2d(values[:, None], weights[None, None, :, None]), weights[None, None, None])[:, 0]

    a, b = first.cpu().double(), second.cpu().double()  # variances are differences of near numbers
    mean_a, mean_b = local(a), local(b)
    spread_a, spread_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    shared = local(a * b) - mean_a * mean_b
    light, structure = STEADY
    alike = (2 * mean_a * mean_b + light) * (2 * shared + structure)
    return float((alike / ((mean_a**2 + mean_b**2 + light) * (spread_a + spread_b + structure))).mean())


def check_steps(steps: int, least: int = 1) -> None:
    """Whether there are so many steps.

    Raises:
        UsageError: there are fewer.

    >>> check_steps(1)
    """
    if steps < least:
        raise UsageError(f"steps must be at least {least}, not {steps}")


def part(progress: Progress | None, done: int, total: int) -> Progress | None:
    """What a part of the work reports to, so that `progress` hears of the whole.

    >>> heard = []
    >>> part(lambda *numbers: heard.append(numbers), 10, 30)(5, 20)
    >>> heard
    [(15, 30)]
    """
    return None if progress is None else lambda more, _: progress(done + more, total)
