"""What suits a recipe: in which layers units are compared and aligned, and how large their pictures are."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.errors import UsageError
from pellucid.models.model import Layer, Model
from pellucid.vis.objectives import IMAGE, Objective
from pellucid.vis.render import natural_size


def shared_size(model: Model, units: Sequence[Objective], size: int | tuple[int, int] | None) -> tuple[int, int]:
    """One size for pictures of several units: the given one, or what suits the unit that needs most."""
    if size is not None:
        return (size, size) if isinstance(size, int) else size
    heights, widths = zip(*(natural_size(model, unit) for unit in units), strict=True)
    return max(heights), max(widths)


def facet_layer(model: Model, objective: Objective) -> str:
    """Where the network can tell a unit's facets apart best, without depending on where they are in the picture.

    The deepest layer before the unit's own of which no position sees more than a whole picture: beyond, the network has merged
    what means the same to it, and the facets of a class with it. Where no receptive field is known, three quarters of the way;
    the unit's own layer where there is none before it.

    Raises:
        UsageError: the network has no layer with maps.

    >>> import pellucid.models as models
    >>> from pellucid.vis import channel, logit
    >>> model = models.load("terrarium")
    >>> facet_layer(model, logit(9)), facet_layer(model, channel("mixed4b", 3)), facet_layer(model, channel("conv1", 3))
    ('mixed4a', 'mixed4a', 'conv1')
    """
    maps = _earlier(model, objective)
    inside = [layer for layer in maps if layer.receptive_field is not None and max(layer.receptive_field.size) <= min(model.size)]
    if inside:
        return _deepest(model, inside)
    return maps[len(maps) * 3 // 4].name if maps else next(iter(objective.layers - {IMAGE}))


def last_layer(model: Model, objective: Objective) -> str:
    """Where it shows best what speaks for a unit: the last layer before its own, from which the way to the unit is shortest.

    The unit's own layer where there is none before it.

    Raises:
        UsageError: the network has no layer with maps.

    >>> import pellucid.models as models
    >>> from pellucid.vis import channel, logit
    >>> model = models.load("terrarium")
    >>> last_layer(model, logit(9)), last_layer(model, channel("mixed4b", 3)), last_layer(model, channel("conv1", 3))
    ('mixed4b', 'mixed4a', 'conv1')
    """
    maps = _earlier(model, objective)
    if any(layer.receptive_field is None for layer in maps):
        return maps[-1].name
    return _deepest(model, maps) if maps else next(iter(objective.layers - {IMAGE}))


def coarser_layer(model: Model, units: Sequence[Objective]) -> str:
    """The last layer whose maps are larger than some units' own; the first layer where there is none.

    A class has none of its own, and counts as the network's smallest maps.

    Raises:
        UsageError: the network has no layer with maps.
    """
    maps = _maps(model)
    own = [model.layer(name) for unit in units for name in unit.layers - {IMAGE}]
    smallest = min(layer.height * layer.width for layer in maps)
    extent = max([smallest, *(layer.height * layer.width for layer in own)])
    return next((layer.name for layer in reversed(maps) if layer.height * layer.width > extent), maps[0].name)


def _maps(model: Model) -> list[Layer]:
    """The layers that have more than a few positions, and are neither pictures nor the classes'."""
    others = (1, model.channels, len(model.classes))
    maps = [layer for layer in model.layers.values() if min(layer.height, layer.width) >= 3 and layer.channels not in others]
    if not maps:
        raise UsageError(f"{model.name} has no layer with maps of at least 3 × 3; name a layer")
    return maps


def _earlier(model: Model, objective: Objective) -> list[Layer]:
    """The layers with maps before a unit's own."""
    own = [model.layer(name) for name in objective.layers - {IMAGE}]
    return [layer for layer in _maps(model) if all(_before(model, layer, each) for each in own)]


def _deepest(model: Model, layers: Sequence[Layer]) -> str:
    """Of layers whose receptive fields are known, the one that sees most; of those that see as much, a block before its parts."""

    def depth(layer: Layer) -> tuple[tuple[int, int], int, int]:
        assert layer.receptive_field is not None
        return layer.receptive_field.size, layer.channels, -layer.name.count(".")

    return max(layers, key=depth).name


def _before(model: Model, layer: Layer, own: Layer) -> bool:
    """Whether a layer comes before a unit's own: it is no part of that, and sees less."""
    fields = layer.receptive_field, own.receptive_field
    less = fields[0] is None or fields[1] is None or fields[0].size < fields[1].size
    return model.depth(layer.name) < model.depth(own.name) and not layer.name.startswith(f"{own.name}.") and less
