"""How pictures are optimised, apart from what for: the spectrum of regularisation from none to strong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.objectives import Objective
from pellucid.vis.params import Parameterization, fourier
from pellucid.vis.transforms import Transform, robust

Filter = Callable[[Float[Tensor, "n c h w"], float], Float[Tensor, "n c h w"]]  # pictures, or their gradient, and the progress

WAY = 6.4  # first learning rate × steps: a picture that goes further saturates, one that goes less far stays pale
SMALL = 128  # px: networks of smaller inputs answer to finer detail than they show, so their pictures start smoother


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a picture is optimised; what is not said suits the model, the size and the number of steps.

    Args:
        parameterization: what is optimised; None for `natural_fourier`.
        transforms: random changes at every step, after which the network sees the middle of the picture's size; None for `robust`.
        learning_rate: Adam's at the first and at the last step, falling in half a cosine; None for `natural_rate`.
        penalty: added to every objective, as in `-0.25 * total_variation()`.
        views: draws of the transforms in every step, whose gradients are averaged.
        weight_noise: standard deviation of a factor on every weight, drawn anew in every step (parameter augmentation).
        picture_filter: from (pictures, progress) to pictures, after every step: blurring each step as of Nguyen et al. 2015.
        gradient_filter: from (gradient, progress) to gradient, before every step: blurring the gradient as of Øygard 2015.

    Raises:
        UsageError: a number out of range.

    >>> Method(views=2).views
    2
    """

    parameterization: Parameterization | None = None
    transforms: Sequence[Transform] | None = None
    learning_rate: tuple[float, float] | None = None
    penalty: Objective | None = None
    views: int = 1
    weight_noise: float = 0.0
    picture_filter: Filter | None = None
    gradient_filter: Filter | None = None

    def __post_init__(self) -> None:
        if self.views < 1:
            raise UsageError(f"views must be at least 1, not {self.views}")
        if not self.weight_noise >= 0:
            raise UsageError(f"weight_noise must be 0 or more, not {self.weight_noise}")


def natural_fourier(model: Model) -> fourier:
    """Fourier pictures of decay 0.75, and 1.5 for models of small inputs, on which finer detail is only grain."""
    return fourier(decay=1.5) if min(model.size) < SMALL else fourier()


def natural_rate(steps: int) -> tuple[float, float]:
    """Learning rates that take a picture as far in any number of steps, at most 0.2 a step, ending at a fifth of the first.

    >>> natural_rate(128), natural_rate(64)
    ((0.05, 0.01), (0.1, 0.02))
    """
    first = min(0.2, WAY / steps)
    return first, first / 5


def natural_transforms(size: tuple[int, int]) -> tuple[Transform, ...]:
    """The standard robustness stack for pictures of a size."""
    return (robust(size),)
