"""Which layers to look at where nobody has named any."""

from __future__ import annotations

from pellucid.errors import UsageError
from pellucid.models.model import Layer, Model

IDLE = ("AlphaDropout", "Dropout", "Dropout2d", "FeatureAlphaDropout", "Features", "Identity")  # answer nothing of their own
FINE = 10  # pixels from one position to the next, at most, where a map still shows where things are


def spanning_layers(model: Model, count: int | None = None) -> list[str]:
    """Layers that span the network: the last map of each size with more than a few positions.

    What holds maps of several sizes, as a whole trunk does, is passed over for its last part.

    Args:
        model: the network.
        count: so many of the deepest; None for all.

    Returns:
        Their names, in the network's order.

    Raises:
        UsageError: the network has no layer with maps.

    Example:
        >>> import pellucid.models as models
        >>> spanning_layers(models.load("terrarium"), 2)
        ['mixed3b', 'mixed4b']
    """
    last = {
        (layer.height, layer.width): layer.name
        for layer in model.layers.values()
        if layer.kind not in IDLE
        and min(layer.height, layer.width) >= 3
        and layer.channels not in (1, model.channels, len(model.classes))
        and not _is_trunk(model, layer)
    }
    if not last:
        raise UsageError(f"{model.name} has no layer with maps of at least 3 × 3; name the layers")
    names = sorted(last.values(), key=model.depth)
    return names if count is None else names[-count:]


def _is_trunk(model: Model, layer: Layer) -> bool:
    """Whether a layer is made of maps of several sizes, and ends as one of its parts does."""
    parts = (each for each in model.layers.values() if each.name.startswith(f"{layer.name}."))
    inside = [each for each in parts if min(each.height, each.width) >= 3]
    sizes = {(each.height, each.width) for each in inside}
    return len(sizes) > 1 and any(_shape(each) == _shape(layer) for each in inside)


def _shape(layer: Layer) -> tuple[int, int, int]:
    return layer.channels, layer.height, layer.width


def fine_layers(model: Model) -> list[str]:
    """The spanning layers that still show where things are; all of them where none does.

    Raises:
        UsageError: the network has no layer with maps.

    Example:
        >>> import pellucid.models as models
        >>> fine_layers(models.load("terrarium"))
        ['conv1', 'mixed3b', 'mixed4b']
    """
    names = spanning_layers(model)
    return [name for name in names if model.size[0] <= FINE * model.layer(name).height] or names
