"""What the layers of a network answer to pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import PellucidError
from pellucid.models.model import OUTPUT, Model
from pellucid.models.network import Stop, held_still, listening, logits_of, tensor_of
from pellucid.models.strides import Views, memory_format


@contextmanager
def prepared(model: Model) -> Iterator[None]:
    """Hold the model's network in evaluation mode with no parameter asking for gradients; restored afterwards, whatever happens.

    Everything that takes a `Model` uses it; inside another one it costs nothing, so wrap loops in it.

    Example:
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> model = models.load(nn.Conv2d(3, 4, 3).train(), size=8)
        >>> with prepared(model):
        ...     model.network.training
        False
        >>> model.network.training
        True
    """
    with held_still(model.network):
        yield


def capture(model: Model, images: Float[Tensor, "n c h w"], layers: Sequence[str]) -> dict[str, Float[Tensor, "n _ _ _"]]:
    """What the named layers answer to the images, each as a map; the network runs only as far as the last of them.

    Of a module that runs several times in one pass, the last run counts. Tokens come as their grid without class tokens,
    vectors as 1 × 1 maps. The maps can be differentiated with respect to the images wherever autograd records.

    Args:
        model: from `load`.
        images: in [0, 1]; the model's own channels, any height and width that the network accepts.
        layers: names out of `model.layers`, or `"logits"` for the network's output.

    Returns:
        A map for each name, in the order asked for, on the model's device.

    Raises:
        NotFoundError: a layer has another name; said before the network runs.
        UsageError: the images have another shape or type than the model wants.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), size=8)
        >>> {name: tuple(map.shape) for name, map in capture(model, torch.rand(2, 3, 8, 8), ["0"]).items()}
        {'0': (2, 4, 6, 6)}
    """
    inputs = model.preprocess(images).to(memory_format=memory_format(model.device))
    recorder = Recorder(model, layers, (images.shape[2], images.shape[3]), torch.contiguous_format)
    with prepared(model), Views(), recorder.listening():
        recorder.finish(model.network(inputs))
    return {name: recorder.map(name).contiguous() for name in layers}


class Recorder:
    """Keeps what the layers of one forward pass answer, and stops the pass when nothing is left to wait for."""

    def __init__(
        self, model: Model, layers: Sequence[str], picture: tuple[int, int], layout: torch.memory_format = torch.preserve_format
    ) -> None:
        self.model, self.picture, self.layout = model, picture, layout
        self.waiting = {name: 1 if name == OUTPUT else model.place(name).calls for name in layers}
        self.maps: dict[str, Tensor] = {}

    def listening(self) -> AbstractContextManager[None]:
        return listening(self.model.network, {name: self._listener(name) for name in self.waiting if name != OUTPUT})

    def _listener(self, name: str) -> Any:
        def listen(output: Any) -> None:
            self.waiting[name] -= 1
            if self.waiting[name] != 0:
                return
            tensor = tensor_of(output)
            assert tensor is not None
            last = all(count <= 0 for count in self.waiting.values())
            # A later in-place operation would change it, so it is copied, unless nothing comes later.
            self.maps[name] = self.model.place(name).form.to_map(
                tensor if last else tensor.clone(memory_format=self.layout), self.picture
            )
            if last:
                raise Stop

        return listen

    def finish(self, output: Any) -> None:
        if OUTPUT in self.waiting and (logits := logits_of(output)) is not None:
            self.maps[OUTPUT] = logits[:, :, None, None]

    def map(self, name: str) -> Tensor:
        if name not in self.maps:
            raise PellucidError(f"layer {name!r} of {self.model.name} gave nothing for these images")
        return self.maps[name]
