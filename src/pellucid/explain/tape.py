"""One pass of a picture through a network, whose layers are differentiated by each other as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from pellucid.analysis.inputs import check_images
from pellucid.errors import PellucidError, UsageError
from pellucid.models import OUTPUT, Model
from pellucid.models.capture import capture
from pellucid.models.layer_gradients import keeping, recording
from pellucid.vis.objectives import IMAGE

COPIES = 8  # of the picture: so many derivatives come from one pass backwards


@dataclass(frozen=True)
class Tape:
    """What a network answered to a picture, and how every layer of it depends on the earlier ones.

    Attributes:
        model: the network.
        image: c h w, in [0, 1].
        layers: names, in the network's order.
        maps: what each layer answered, c h w, without history; under `IMAGE` the picture less the model's mean, which is what the
            network is given, and under `OUTPUT` the logits, k 1 1.
    """

    model: Model
    image: Float[Tensor, "c h w"]
    layers: tuple[str, ...]
    maps: Mapping[str, Float[Tensor, "_ _ _"]]
    _kept: Mapping[str, Tensor] = field(repr=False)  # as the layers returned them, of all copies
    _forms: Mapping[str, Callable[[Tensor], Tensor]] = field(repr=False)

    @property
    def logits(self) -> Float[Tensor, " k"]:
        return self.maps[OUTPUT].flatten()

    def kept(self, layer: str) -> Float[Tensor, "1 ..."]:
        """What a layer returned, in its own form."""
        return self._kept[layer].detach()[:1]

    def channel_sums(self, layer: str, values: Float[Tensor, "m ..."]) -> Float[Tensor, "m c"]:
        """Values in a layer's own form, summed over everything but its channels."""
        return values.movedim(self.model.place(layer).form.axis, 1).flatten(1).unflatten(1, (len(self.maps[layer]), -1)).sum(2)

    def pull(self, target: str, seeds: Float[Tensor, "m c h w"], sources: Sequence[str]) -> dict[str, Float[Tensor, "m _ _ _"]]:
        """The gradients of sums of a layer's activations, weighted by the seeds, at earlier places.

        Args:
            target: one of the layers, or `OUTPUT`.
            seeds: weights of the target's map, one set for each sum.
            sources: layers or `IMAGE`; what has no part in the target has the gradient zero.

        Returns:
            For each source one gradient a seed.
        """
        return self._gathered(target, seeds, sources, lambda name, gradient: self._forms[name](gradient))

    def at_positions(
        self, target: str, seeds: Float[Tensor, "m c h w"], sources: Sequence[str]
    ) -> dict[str, Float[Tensor, "m _ _"]]:
        """What each position of earlier places gives to such sums: gradient times activation, summed over the channels."""

        def product(name: str, gradient: Tensor) -> Tensor:
            return torch.einsum("mchw,chw->mhw", self._forms[name](gradient), self.maps[name])

        return self._gathered(target, seeds, sources, product)

    def of_channels(self, target: str, seeds: Float[Tensor, "m c h w"], sources: Sequence[str]) -> dict[str, Float[Tensor, "m _"]]:
        """What each channel of earlier layers gives to such sums, over all positions and the tokens outside the grid."""

        def product(name: str, gradient: Tensor) -> Tensor:
            return self.channel_sums(name, gradient * self.kept(name))

        return self._gathered(target, seeds, sources, product)

    def _gathered(
        self, target: str, seeds: Tensor, sources: Sequence[str], read: Callable[[str, Tensor], Tensor]
    ) -> dict[str, Tensor]:
        """What is read of the gradients, as many together as there are copies."""
        answer, places = self._forms[target](self._kept[target]), [self._kept[name] for name in sources]
        found: dict[str, list[Tensor]] = {name: [] for name in sources}
        for part in seeds.split(COPIES):
            gradients = torch.autograd.grad(
                answer, places, _filled(part), retain_graph=True, allow_unused=True, materialize_grads=True
            )
            for name, gradient in zip(sources, gradients, strict=True):
                found[name].append(read(name, gradient[: len(part)]))
        return {name: torch.cat(each) for name, each in found.items()}

    def pushing(self, source: str) -> Callable[[Float[Tensor, "m c h w"]], Float[Tensor, "m k"]]:
        """A function from changes of a layer's map to what they change in the logits, to first order.

        The derivative of a gradient, which is linear in its seeds, by the seeds is the derivative the other way round.

        Args:
            source: one of the layers, or `IMAGE`.
        """
        answer = self._forms[OUTPUT](self._kept[OUTPUT])
        seeds = torch.zeros_like(answer, requires_grad=True)
        (gradient,) = torch.autograd.grad(answer, self._kept[source], seeds, create_graph=True, materialize_grads=True)
        gradient = self._forms[source](gradient)

        def pushed(changes: Tensor) -> Tensor:
            (found,) = torch.autograd.grad(gradient, seeds, _filled(changes), retain_graph=True, materialize_grads=True)
            return found[: len(changes)].flatten(1)

        return lambda changes: torch.cat([pushed(part) for part in changes.split(COPIES)])


def record(model: Model, image: Float[Tensor, "c h w"], layers: Sequence[str]) -> Tape:
    """Show a picture to a network and keep how its layers depend on each other.

    Args:
        model: from `load`; left as it was, also after an exception.
        image: in [0, 1], of a size that the network takes.
        layers: names out of `model.layers`, in any order; of a module that runs several times, its last run counts.

    Raises:
        NotFoundError: no such layer.
        UsageError: no picture of the model's channels.
        PellucidError: the network gives no scores, or cannot be differentiated.

    Example:
        >>> import pellucid.models as models
        >>> tape = record(models.load("terrarium"), torch.rand(3, 96, 96), ["mixed4b", "conv1"])
        >>> tape.layers, tuple(tape.maps["mixed4b"].shape)
        (('conv1', 'mixed4b'), (192, 12, 12))
        >>> tape.at_positions("mixed4b", torch.ones(2, 192, 12, 12), ["conv1"])["conv1"].shape
        torch.Size([2, 48, 48])
    """
    if image.ndim != 3:
        raise UsageError(f"image: shape {tuple(image.shape)}; one picture of ({model.channels}, h, w) is wanted")
    check_images(model, image[None])
    names = tuple(sorted(dict.fromkeys(layers), key=model.depth))
    size = (image.shape[1], image.shape[2])
    forms = {name: partial(model.place(name).form.to_map, picture=size) for name in names} | dict.fromkeys((IMAGE, OUTPUT), _itself)
    # Fused attention has no second derivatives.
    with recording(model), sdpa_kernel(SDPBackend.MATH), keeping(model, names) as kept:
        leaf = image.detach().to(model.device, model.dtype).expand(COPIES, -1, -1, -1).clone().requires_grad_()
        logits = capture(model, leaf, [OUTPUT])[OUTPUT]
    missing = [name for name in names if name not in kept]
    if missing:
        raise PellucidError(f"layer {missing[0]!r} of {model.name} gave nothing for this picture")
    if cut := [name for name, each in {**kept, OUTPUT: logits}.items() if each.grad_fn is None]:
        raise PellucidError(
            f"{model.name} cannot be differentiated: it cuts the gradient before {cut[0]}, as detach(), no_grad() and argmax do; "
            "attribute(..., method='occlusion') needs none"
        )
    kept |= {IMAGE: leaf, OUTPUT: logits}
    mean = leaf.new_tensor(model.mean)[:, None, None]
    maps = {name: forms[name](each.detach()[:1])[0] for name, each in kept.items()}
    maps[IMAGE] = maps[IMAGE] - mean
    return Tape(model, image, names, maps, kept, forms)


def _filled(some: Tensor) -> Tensor:
    """With zeros for the copies that nothing is asked of."""
    return torch.cat([some, some.new_zeros(COPIES - len(some), *some.shape[1:])])


def _itself(tensor: Tensor) -> Tensor:
    return tensor
