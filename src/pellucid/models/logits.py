"""What the activations at positions of a layer give to all classes, in one pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel

from pellucid.errors import PellucidError, UsageError
from pellucid.models.capture import prepared
from pellucid.models.model import Model
from pellucid.models.network import listening, logits_of, tensor_of, with_tensor
from pellucid.models.strides import Views, memory_format
from pellucid.models.tangents import Tangents

SPREAD = 32  # pictures times positions that run through the rest of a network together


def logit_attribution(
    model: Model, images: Float[Tensor, "n c h w"], layer: str, positions: Int[Tensor, "n 2"] | Int[Tensor, "n p 2"]
) -> tuple[Float[Tensor, "n *p c"], Float[Tensor, "n *p k"]]:
    """How much the activations at one position of a layer give to every class: activation times gradient, summed over the channels.

    One forward pass that carries a derivative along with the values serves all classes at once; where an operation has no
    such rule, two backward passes do. Up to the layer the network runs once a picture, however many positions are asked for,
    unless the rest of it looks back beyond the layer. (Carter et al., "Activation Atlas", Distill 2019: the linear
    approximation of the logits' dependence on one activation vector.)

    Args:
        model: from `load`.
        images: in [0, 1].
        layer: a name out of `model.layers`; of a module that runs several times, its last run counts.
        positions: (row, col) on the layer's map for each image, one or p of them.

    Returns:
        The activation vectors at the positions, and their attributions to all classes; both float32 and without history,
        with an axis of positions where `positions` has one.

    Raises:
        NotFoundError: no such layer.
        UsageError: images of another kind than the model's, or positions outside the map.
        PellucidError: the network gives no scores, or cannot be differentiated.

    Example:
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2)), size=3)
        >>> vectors, attributions = logit_attribution(model, torch.rand(5, 3, 3, 3), "0", torch.zeros(5, 2, dtype=torch.long))
        >>> vectors.shape, attributions.shape
        (torch.Size([5, 4]), torch.Size([5, 2]))
    """
    inputs = model.preprocess(images.detach()).to(memory_format=memory_format(model.device))
    if positions.ndim not in (2, 3) or len(positions) != len(images) or positions.shape[-1] != 2:
        raise UsageError(f"positions: shape {tuple(positions.shape)}; (row, col) for each of {len(images)} images are wanted")
    spread = positions.to(inputs.device).reshape(len(images), -1, 2)
    size, step = (images.shape[2], images.shape[3]), max(1, SPREAD // spread.shape[1])
    with prepared(model), Views(), _differentiable_attention():
        parts = [_attributed(model, *each, layer, size) for each in zip(inputs.split(step), spread.split(step), strict=True)]
    shape = positions.shape[:-1]
    vectors, attributions = (torch.cat(each).float() for each in zip(*parts, strict=True))
    return vectors.reshape(*shape, -1), attributions.reshape(*shape, -1)


def _attributed(
    model: Model, inputs: Tensor, positions: Int[Tensor, "n p 2"], layer: str, size: tuple[int, int]
) -> tuple[Float[Tensor, "m c"], Float[Tensor, "m k"]]:
    """Vectors and attributions, the positions of each picture together."""
    count, flat = positions.shape[1], positions.flatten(0, 1)
    if count > 1:
        injection = _Injection(model, layer, size, flat, count)
        try:
            logits = _forward_mode(model, inputs, injection)
            if len(logits) == len(flat):
                return injection.vectors, logits
        except (NotImplementedError, RuntimeError) as error:  # as where a branch passes the layer by, with fewer pictures
            _unless_out_of_memory(error)
    injection, inputs = _Injection(model, layer, size, flat), _repeated(inputs, count)
    try:
        logits = _forward_mode(model, inputs, injection)
    except (NotImplementedError, RuntimeError) as error:
        _unless_out_of_memory(error)
        logits = _double_backward(model, inputs, injection, error)
    return injection.vectors, logits


def _unless_out_of_memory(error: Exception) -> None:
    if isinstance(error, torch.OutOfMemoryError):
        raise error


def _repeated(tensor: Tensor, times: int) -> Tensor:
    """Each picture so many times, in memory as the tensor is; itself for once."""
    if times == 1:
        return tensor
    repeated = tensor.repeat_interleave(times, 0)
    return repeated.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 and not tensor.is_contiguous() else repeated


class _Injection:
    """At the layer's last run: what lies at the positions, and the same on the output's own shape with zeros everywhere else."""

    def __init__(self, model: Model, layer: str, picture: tuple[int, int], positions: Tensor, each: int = 1) -> None:
        self.place, self.picture, self.positions = model.place(layer), picture, positions
        self.each = each  # positions a picture: from here on it goes through the network so many times
        self.vectors = torch.empty(0)

    def listener(self, replace: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Any], Any]:
        runs = 0

        def listen(output: Any) -> Any:
            nonlocal runs
            runs += 1
            if runs != self.place.calls or (tensor := tensor_of(output)) is None:
                return None
            tensor = _repeated(tensor, self.each)
            return with_tensor(output, replace(tensor, self._tangent(tensor.detach())))

        return listen

    def _tangent(self, output: Tensor) -> Tensor:
        count, size = len(output), output[0].numel()
        # Maps of indices, so that every form of output (maps, tokens, channels last) is undone by doing it once.
        places = self.place.form.to_map(torch.arange(size, device=output.device).view(1, *output.shape[1:]), self.picture)[0]
        rows, columns = self._checked(places.shape[1], places.shape[2])
        chosen = places[:, rows, columns].T
        self.vectors = output.reshape(count, -1).gather(1, chosen)
        tangent = output.new_zeros(count, size).scatter(1, chosen, self.vectors)
        return torch.empty_like(output).copy_(tangent.view(output.shape))  # in memory as the output is

    def _checked(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        rows, columns = self.positions.unbind(1)
        if (self.positions < 0).any() or (rows >= height).any() or (columns >= width).any():
            raise UsageError(f"positions: some lie outside the {height} × {width} map of {self.place.name!r}")
        return rows, columns


@cache
def _load_forward_mode() -> None:
    """Its first use loads parts of torch that warn about other parts of torch; nobody else's warnings are silenced."""
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.simplefilter("ignore", DeprecationWarning)
        forward_ad.make_dual(torch.zeros(1), torch.zeros(1))


def _forward_mode(model: Model, inputs: Tensor, injection: _Injection) -> Tensor:
    _load_forward_mode()
    listener = injection.listener(lambda output, tangent: forward_ad.make_dual(output, tangent))
    with torch.no_grad(), forward_ad.dual_level(), Tangents(), listening(model.network, {injection.place.name: listener}):
        logits = _scores(model, model.network(inputs))
        tangent = forward_ad.unpack_dual(logits).tangent
        return torch.zeros_like(logits) if tangent is None else tangent.clone()


def _double_backward(model: Model, inputs: Tensor, injection: _Injection, reason: Exception) -> Tensor:
    kept: list[tuple[Tensor, Tensor]] = []

    def replace(output: Tensor, tangent: Tensor) -> Tensor:
        kept[:] = [(output.detach().requires_grad_(), tangent)]
        return kept[0][0].clone()  # a leaf must not be changed in place

    try:
        with torch.enable_grad(), listening(model.network, {injection.place.name: injection.listener(replace)}):
            logits = _scores(model, model.network(inputs))
            ((leaf, tangent),) = kept
            weights = torch.zeros_like(logits, requires_grad=True)
            (gradient,) = torch.autograd.grad(logits, leaf, weights, create_graph=True, materialize_grads=True)
            (product,) = torch.autograd.grad(gradient, weights, tangent, materialize_grads=True)
    except RuntimeError as error:
        raise PellucidError(
            f"{model.name} cannot be differentiated after {injection.place.name!r}: {error}; forward: {reason}"
        ) from error
    return product.detach()


def _scores(model: Model, output: Any) -> Tensor:
    if (logits := logits_of(output)) is None:
        raise PellucidError(f"{model.name} gives no scores of shape (n, k), so nothing can be attributed to them")
    return logits


@contextmanager
def _differentiable_attention() -> Iterator[None]:
    """Only the plain form of attention has derivatives of derivatives; the fused ones are switched off, and on again."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
