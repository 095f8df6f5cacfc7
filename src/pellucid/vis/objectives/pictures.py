"""What a picture is like, apart from any network; people subtract these: `channel("mixed4a", 20) - 0.25 * total_variation()`.

All are 0 or more and means over the picture's values, so that a weight means the same at every size. They read all channels, that
of opacity too where the picture has one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from pellucid.errors import UsageError
from pellucid.vis.filters import bilateral, gaussian_blur
from pellucid.vis.objectives.algebra import IMAGE, Objective, formed
from pellucid.vis.objectives.forms import Form
from pellucid.vis.objectives.names import call


def l1(around: float = 0.5) -> Objective:
    """The mean distance of the picture's values from a grey.

    Args:
        around: the grey, from 0 to 1.

    >>> l1()({"image": torch.tensor([[[[0.0, 0.5, 0.75, 0.75]]]])})
    tensor([0.2500])
    """
    return _of_picture(call("l1", around=(around, 0.5)), lambda images: _mean((images - around).abs()))


def l2(around: float = 0.5) -> Objective:
    """The mean squared distance of the picture's values from a grey; the class model of Simonyan et al. 2014, equation 1, has it.

    Args:
        around: the grey, from 0 to 1.

    >>> l2(around=0)({"image": torch.tensor([[[[0.0, 0.0, 0.0, 1.0]]]])})
    tensor([0.2500])
    """
    return _of_picture(call("l2", around=(around, 0.5)), lambda images: _mean((images - around).square()))


def total_variation() -> Objective:
    """The mean step from each value to the next in its column, and the same in its row, added.

    >>> total_variation()({"image": torch.tensor([[[[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]]])})
    tensor([0.5000])
    """

    def score(images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        steps = [images.diff(dim=axis).abs() for axis in (2, 3) if images.shape[axis] > 1]
        return sum((_mean(each) for each in steps), images.new_zeros(len(images)))

    return _of_picture("total_variation()", score)


def blur_residual(sigma: float = 1.0) -> Objective:
    """Half the mean squared difference to the blurred picture, which is held fixed: subtracting it is blurring a little each step.

    Args:
        sigma: standard deviation of the Gaussian in pixels, 0 or more.

    Raises:
        UsageError: `sigma` is negative (when it is evaluated).

    >>> blur_residual()({"image": torch.tensor([[[[0.0, 1.0, 0.0, 1.0]]]])})
    tensor([0.0977])
    """
    return _of_picture(
        call("blur_residual", sigma=(sigma, 1.0)), lambda images: _residual(images, gaussian_blur(images.detach(), sigma))
    )


def bilateral_residual(sigma_space: float = 2.0, *, sigma_colour: float = 0.1) -> Objective:
    """The same with a filter that keeps edges (Tyka 2016, Class visualization with bilateral filters).

    Args:
        sigma_space: in pixels, above 0.
        sigma_colour: of the distance between two colours, above 0.

    Raises:
        UsageError: a sigma is not above 0 (when it is evaluated).

    >>> bilateral_residual()({"image": torch.tensor([[[[0.0, 0.1, 0.9, 1.0]]]])})
    tensor([0.0006])
    """

    def score(images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return _residual(images, bilateral(images.detach(), sigma_space, sigma_colour=sigma_colour))

    return _of_picture(call("bilateral_residual", sigma_space=(sigma_space, 2.0), sigma_colour=(sigma_colour, 0.1)), score)


def border(width: int = 20, *, around: float = 0.5) -> Objective:
    """How much there is at the picture's border: its mean squared detail, and 0.8 of that of its distance from a grey.

    Detail is what a mean over 5 × 5 pixels takes away (lucid's `penalize_boundary_complexity`).

    Args:
        width: of the border in pixels, 1 or more.
        around: the grey, from 0 to 1.

    Raises:
        UsageError: the width is not 1 or more.

    >>> border(1)({"image": torch.ones(1, 3, 8, 8)})
    tensor([0.2000])
    """

    if width < 1:
        raise UsageError(f"a border is 1 pixel wide or more, not {width}")

    def score(images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        smooth = avg_pool2d(images, 5, stride=1, padding=2, count_include_pad=False)
        much = (images - smooth).square() + 0.8 * (images - around).square()
        frame = torch.ones_like(images[0, 0])
        frame[width:-width, width:-width] = 0
        return _mean(much * frame) / frame.mean()

    return _of_picture(call("border", width=(width, 20), around=(around, 0.5)), score)


def high_frequency(above: float = 0.25) -> Objective:
    """The mean square of what the picture has above a spatial frequency.

    Args:
        above: in cycles per pixel, from 0 to 0.7; rows of alternating black and white have 0.5.

    >>> high_frequency()({"image": torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])})
    tensor([0.2500])
    """

    def score(images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        height, width = images.shape[2:]
        down, right = torch.fft.fftfreq(height, device=images.device), torch.fft.rfftfreq(width, device=images.device)
        keep = torch.hypot(down[:, None], right) > above
        return _mean(torch.fft.irfft2(torch.fft.rfft2(images) * keep, s=(height, width)).square())

    return _of_picture(call("high_frequency", above=(above, 0.25)), score)


def opacity(channels: int = 3) -> Objective:
    """How opaque the picture is on the whole: the mean of its last channel.

    Args:
        channels: how many it has besides, those of its colour.

    Raises:
        UsageError: the picture has no opacity (when it is evaluated).

    >>> opacity()({"image": torch.tensor([0.0, 0.0, 0.0, 0.75])[None, :, None, None]})
    tensor([0.7500])
    """

    def score(images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        if images.shape[1] != channels + 1:
            has = f"has {images.shape[1]} channels, not {channels} of colour and one of opacity"
            raise UsageError(f"the picture {has}; give `opacity` the number of colours, and `transparent` as parameterization")
        return images[:, -1].mean((1, 2))

    return _of_picture(call("opacity", channels=(channels, 3)), score)


def _of_picture(name: str, score: Callable[[Float[Tensor, "n c h w"]], Float[Tensor, " n"]]) -> Objective:
    return formed(name, frozenset({IMAGE}), Form(name, lambda seen, _: score(seen[IMAGE])), None)


def _mean(values: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    return values.mean((1, 2, 3))


def _residual(images: Float[Tensor, "n c h w"], smooth: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    return _mean((images - smooth).square()) / 2
