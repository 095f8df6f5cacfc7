"""A network run as fast as its device can, where gradients with respect to the images are wanted at most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from pellucid.models.capture import Recorder, prepared
from pellucid.models.memory import memory_kept
from pellucid.models.model import Model
from pellucid.models.quick import QUICK
from pellucid.models.strides import layout_of, memory_format, view

_CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
WEIGHTED = frozenset((*_CONVOLUTIONS, F.linear, F.multi_head_attention_forward))  # whose weights autocast turns at every call

NARROWING = frozenset(("conv2d", "linear", "shape", "size", "dim", "ndim"))  # what leaves nothing of pictures that bfloat16 has not


@contextmanager
def fast(model: Model, *, bfloat16: bool) -> Iterator[Fast]:
    """Something to call like `capture`, as fast as the device can, for its answers and their gradients with respect to the images.

    The network is held still all the while, and is not changed: what it calls is exchanged on the way to torch. Maps and
    gradients are those of `capture` up to the rounding of floats. The weights must not change while inside.

    Args:
        model: from `load`.
        bfloat16: whether convolutions and products of matrices are computed in bfloat16, which pays where hardware does it.

    Example:
        >>> import pellucid.models as models
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU()), size=9)
        >>> images = torch.rand(2, 3, 9, 9, requires_grad=True)
        >>> with fast(model, bfloat16=False) as network:
        ...     network(images, ["1"])["1"].mean().backward()
        >>> images.grad.shape
        torch.Size([2, 3, 9, 9])
    """
    with prepared(model), memory_kept():
        yield Fast(model, bfloat16=bfloat16)


class Fast:
    """What `fast` gives; called like `capture`, with images and the names of layers."""

    def __init__(self, model: Model, *, bfloat16: bool) -> None:
        self.model, self.bfloat16 = model, bfloat16
        self.layout = memory_format(model.device, bfloat16=bfloat16)
        narrow = bfloat16 and model.dtype == torch.float32 and model.takers <= NARROWING
        self.given = torch.bfloat16 if narrow else model.dtype  # autocast would turn the pictures first of all
        parameters = {id(parameter): (place, parameter) for place, parameter in enumerate(model.network.parameters())}
        self.weights = _Weights(parameters, bfloat16, self.layout)

    def __call__(self, images: Float[Tensor, "n c h w"], layers: Sequence[str]) -> dict[str, Float[Tensor, "n _ _ _"]]:
        return self.answer(self.inputs(images), layers)

    def inputs(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """What the network itself is given for images: they can be forgotten then."""
        return _Input.apply(images, self.model, self.layout, self.given)  # pyright: ignore[reportReturnType]

    def answer(self, inputs: Float[Tensor, "n c h w"], layers: Sequence[str]) -> dict[str, Float[Tensor, "n _ _ _"]]:
        """What the named layers answer to `inputs`."""
        recorder = Recorder(self.model, layers, (inputs.shape[2], inputs.shape[3]))
        autocast = torch.autocast(inputs.device.type, torch.bfloat16 if self.bfloat16 else None, enabled=self.bfloat16)
        with autocast, _Exchange(self.weights), recorder.listening():
            recorder.finish(self.model.network(inputs))
        return {name: recorder.map(name) for name in layers}

    @contextmanager
    def perturbed(self, scale: float, generator: torch.Generator) -> Iterator[None]:
        """While inside, every weight w of a convolution or a linear map counts as w · (1 + scale · noise), with Gaussian noise.

        The noise is the same for all calls inside, whatever layers they ask for. Biases stay as they are, and so do weights
        that are computed from others (parametrizations).

        Args:
            scale: the noise's standard deviation, from 0.
            generator: on the CPU; gives one draw for each parameter of the network.

        Example:
            >>> import pellucid.models as models
            >>> model, images = models.load(nn.Conv2d(3, 4, 3), size=8), torch.rand(1, 3, 8, 8)
            >>> with fast(model, bfloat16=False) as network, network.perturbed(0.1, torch.Generator().manual_seed(0)):
            ...     maps = network(images, ["logits"])
        """
        usual, seeds = self.weights, torch.randint(2**32, (len(self.weights.parameters),), generator=generator)
        self.weights = replace(usual, scale=scale, seeds=seeds.tolist(), made={})
        try:
            yield
        finally:
            self.weights = usual


class _Input(torch.autograd.Function):
    """`Model.preprocess` and a layout; the gradient is laid out like the images, in one pass."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, model: Model, layout: torch.memory_format, dtype: torch.dtype) -> Tensor:
        ctx.std, ctx.dtype, ctx.layout = model.std, images.dtype, layout_of(images)
        return model.preprocess(images).to(dtype).to(memory_format=layout)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        result = gradient.to(ctx.dtype, memory_format=ctx.layout, copy=True)
        return result.div_(result.new_tensor(ctx.std)[:, None, None]), None, None, None


@dataclass(frozen=True)
class _Weights:
    """What counts as the network's parameters: cast, laid out and perturbed when first used."""

    parameters: dict[int, tuple[int, nn.Parameter]]  # by identity, with their places in the network
    bfloat16: bool
    layout: torch.memory_format
    scale: float = 0
    seeds: Sequence[int] = ()
    made: dict[int, Tensor] = field(default_factory=dict)

    def exchanged(self, value: Any) -> Any:
        """A parameter of the network for what counts as it; anything else as it is."""
        if type(value) is not nn.Parameter or id(value) not in self.parameters:
            return value
        if id(value) not in self.made:
            self.made[id(value)] = self._make(*self.parameters[id(value)])
        return self.made[id(value)]

    def _make(self, place: int, parameter: nn.Parameter) -> Tensor:
        weight = parameter.detach()
        if self.scale and weight.ndim > 1:
            noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(self.seeds[place]))
            weight = weight * (1 + self.scale * noise.to(weight))
        if self.bfloat16 and weight.dtype == torch.float32:
            weight = weight.bfloat16()
        return weight.to(memory_format=self.layout) if weight.ndim == 4 else weight


class _Exchange(TorchFunctionMode):
    """Gives torch other weights, and calls functions with quicker gradients."""

    functions = QUICK | {Tensor.view: view}

    def __init__(self, weights: _Weights) -> None:
        super().__init__()
        self.weights = weights

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func in WEIGHTED:
            args = tuple(map(self.weights.exchanged, args))
            kwargs = {name: self.weights.exchanged(value) for name, value in kwargs.items()}
        quick: Any = self.functions.get(func, func)
        return quick(*args, **kwargs)
