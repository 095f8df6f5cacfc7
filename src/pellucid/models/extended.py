"""A network with one more layer, beside another one: the features of a sparse autoencoder."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.models.autoencoder import TENSORS, SparseAutoencoder, strongest_rising
from pellucid.models.model import Model
from pellucid.models.network import tensor_of, with_tensor

SUFFIX = "sparse"


def extend(model: Model, autoencoder: SparseAutoencoder, *, layer: str | None = None) -> Model:
    """The model with the features of a sparse autoencoder as one more layer, `LAYER.sparse`, whose channels they are.

    The features answer at each position of the layer as `SparseAutoencoder.encode` says, have its grid and receptive field, and
    are units like all others. They lie on the way to the logits: what is left of a vector beyond its features goes past them
    (Marks et al. 2024, arXiv:2403.19647, section 3), so that without a change to them all maps keep their bits, and what a
    feature gives to a class is its answer times the gradient along its decoder.

    Args:
        model: its network is shared and left as it is. It may be extended already, at another layer.
        autoencoder: of one of its layers.
        layer: the layer's name; None for the one that the autoencoder knows.

    Raises:
        NotFoundError: no such layer.
        UsageError: the autoencoder was made for another network or another layer, or nobody says for which.

    Example:
        >>> import pellucid.models as models
        >>> import torch
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), size=8)
        >>> directions = torch.nn.functional.normalize(torch.randn(12, 4), dim=1)
        >>> features = SparseAutoencoder(directions, torch.zeros(12), directions, torch.zeros(4), k=2)
        >>> extend(model, features, layer="0").layer("0.sparse").channels
        12
    """
    _check_network(model, autoencoder)
    chosen = _layer(model, autoencoder, layer)
    features = Features(autoencoder, model.place(chosen).form.axis).to(model.device, model.dtype)
    return _around(model, Extended(model.network, chosen, model.place(chosen).calls, features))


def _around(model: Model, network: nn.Module) -> Model:
    """The model with another network."""
    known = {name: getattr(model, name) for name in ("name", "spec", "channels", "size", "mean", "std")}
    return Model(network, **known, classes=model.classes)


def _check_network(model: Model, autoencoder: SparseAutoencoder) -> None:
    network = model.network
    while isinstance(network, Extended):
        network = network.network
    if autoencoder.network not in (None, _around(model, network).fingerprint()):
        raise UsageError(
            f"the sparse autoencoder was trained on another network than {model.name!r}, or with other weights, size, mean or std: "
            "give those, or train one for this network"
        )


def _layer(model: Model, autoencoder: SparseAutoencoder, layer: str | None) -> str:
    chosen = autoencoder.layer if layer is None else layer
    if chosen is None:
        raise UsageError("layer: the sparse autoencoder does not say whose features it has; name the layer")
    if autoencoder.layer not in (None, chosen):
        raise UsageError(f"layer: {chosen!r}; the sparse autoencoder was trained on {autoencoder.layer!r}")
    channels = model.place(chosen).channels
    if len(autoencoder.centre) != channels:
        raise UsageError(
            f"the sparse autoencoder was trained on {len(autoencoder.centre)} channels, {chosen!r} of {model.name} has {channels}"
        )
    if (name := f"{chosen}.{SUFFIX}") in model.layers:
        raise UsageError(f"{model.name} has a layer {name!r} already")
    return chosen


class Features(nn.Module):
    """Where the features are heard, and may be replaced: it gives what it gets. Buffers, as they are no weights of the network."""

    def __init__(self, autoencoder: SparseAutoencoder, axis: int) -> None:
        super().__init__()
        for name in TENSORS:
            self.register_buffer(name, getattr(autoencoder, name).clone())
        self.k, self.axis = autoencoder.k, axis

    def extra_repr(self) -> str:
        return f"k={self.k}"

    def forward(self, answers: Tensor) -> Tensor:
        return answers

    def through(self, output: Tensor) -> Tensor | None:
        """What a layer's output becomes where its features are replaced; None where nobody replaces or nobody hears them."""
        if not self._forward_hooks:
            return None
        autoencoder = SparseAutoencoder(*(getattr(self, name) for name in TENSORS), k=self.k)
        answers = strongest_rising(autoencoder.answers(output.movedim(self.axis, -1)), self.k)
        given = answers.movedim(-1, self.axis)
        found = self(given)
        if found is given:
            return None
        copies = len(found) // len(output)  # who replaces features may do so in several ways for each picture
        if copies > 1:
            output, answers = output.repeat_interleave(copies, 0), answers.repeat_interleave(copies, 0)
        change = (found.movedim(self.axis, -1) - answers) @ autoencoder.decoder
        return output + change.movedim(-1, self.axis)


class Extended(nn.Module):
    """Runs a network and, beside a layer of it, the layer's features; its modules have the names that the network gives them."""

    def __init__(self, network: nn.Module, layer: str, calls: int, features: Features) -> None:
        super().__init__()
        self.network, self.layer, self.calls, self.features = network, layer, calls, features

    def extra_repr(self) -> str:
        return f"layer={self.layer!r}"

    def forward(self, *inputs: Any, **named: Any) -> Any:
        with self._heard():
            return self.network(*inputs, **named)

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Hears the layer's last run; `listening` would keep the `Stop` of those who listen to the features to itself."""
        left = self.calls

        def hear(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            nonlocal left
            left -= 1
            if left != 0 or (tensor := tensor_of(output)) is None:
                return None
            changed = self.features.through(tensor)
            return None if changed is None else with_tensor(output, changed)

        handle = self.network.get_submodule(self.layer).register_forward_hook(hear)
        try:
            yield
        finally:
            handle.remove()

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "network":  # not yet there, while being copied
                raise
            return getattr(self.network, name)

    def get_submodule(self, target: str) -> nn.Module:
        if target == "":
            return self
        return self.features if target == f"{self.layer}.{SUFFIX}" else self.network.get_submodule(target)

    def named_modules(
        self, memo: set[nn.Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Generator[tuple[str, nn.Module], None, None]:
        memo = set() if memo is None else memo
        if not remove_duplicate or self not in memo:
            memo.add(self)
            yield prefix, self
            yield from self.network.named_modules(memo, prefix, remove_duplicate)
            yield from self.features.named_modules(memo, f"{prefix}{'.' if prefix else ''}{self.layer}.{SUFFIX}", remove_duplicate)
