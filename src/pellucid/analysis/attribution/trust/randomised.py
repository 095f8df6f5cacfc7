"""Does a map know the weights? It is made again while the network forgets what it learned, from the top down."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.analysis.attribution.methods import attribute
from pellucid.analysis.attribution.targets import Target
from pellucid.analysis.attribution.trust.likeness import rank_correlation
from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.models.untrained import untrained

FAILS = 0.5  # a map whose order stays that much the same without half of what was learned does not show it


@dataclass(frozen=True)
class Randomisation:
    """How alike a map stays to itself while the network is randomised.

    Attributes:
        stages: the lowest module that is randomised, with all above it; the last stage has nothing left of what was learned.
        correlations: of ranks, with the map of the trained network.
    """

    stages: tuple[str, ...]
    correlations: Float[Tensor, "s n"]

    @property
    def halfway(self) -> float:
        """How alike the maps are on the mean with the upper half of the modules randomised, or the first stage beyond."""
        return float(self.correlations[(len(self.stages) - 1) // 2].mean())

    @property
    def fails(self) -> bool:
        """Whether they are much alike then, so that they cannot show what that half has learned."""
        return self.halfway > FAILS


def randomisation(
    model: Model,
    images: Float[Tensor, "n c h w"],
    target: Target,
    *,
    method: str,
    layer: str | None = None,
    stages: int = 4,
    seed: int = 0,
) -> Randomisation:
    """The cascading randomisation of weights: a method that shows what the network learned shows something else without it.

    Adebayo et al. 2018, "Sanity Checks for Saliency Maps", arXiv:1810.03292, section 3.1, with the rank correlation of the maps as
    they are shown.

    Args:
        model: left as it is.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        method: a name out of `METHODS`.
        layer: as in `attribute`.
        stages: in which the modules with weights are randomised, from the last one on, 1 or more.
        seed: of the weights.

    Raises:
        UsageError: stages out of range; else as in `attribute`.

    Example:
        >>> import pellucid.models as models
        >>> found = randomisation(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake", method="grad-cam", stages=2)
        >>> found.stages[-1], found.correlations.shape
        ('conv1.conv', torch.Size([2, 1]))
    """
    if stages < 1:
        raise UsageError(f"stages={stages}: at least 1 is wanted")
    trained = attribute(model, images, target, method=method, layer=layer).map
    names, found = [], []
    for name, forgetting in _cascade(model, stages, seed):
        names.append(name)
        found.append(rank_correlation(trained, attribute(forgetting, images, target, method=method, layer=layer).map))
    return Randomisation(tuple(names), torch.stack(found))


def _cascade(model: Model, stages: int, seed: int) -> Iterator[tuple[str, Model]]:
    """The network with ever more of its modules randomised, in the order in which it names them, the last ones first."""
    fresh = untrained(model, seed=seed)
    names = [name for name, module in model.network.named_modules() if _has_weights(module)][::-1]
    network = copy.deepcopy(model.network)
    for stage in range(1, stages + 1):
        upto = names[: max(1, round(len(names) * stage / stages))]
        for name in upto:
            network.get_submodule(name).load_state_dict(fresh.network.get_submodule(name).state_dict())
        forgetting = copy.copy(model)  # what is known of its layers is known of all networks of this architecture
        forgetting.network = network
        yield upto[-1], forgetting


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False))
