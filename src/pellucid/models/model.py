"""A network with its layer names, its class names and its own preprocessing."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.errors import NotFoundError, UsageError
from pellucid.models.receptive import ReceptiveField
from pellucid.models.survey import Place, Survey, survey

OUTPUT = "logits"


@dataclass(frozen=True)
class Layer:
    """A named place in a network; its activations are always given as `n c h w`.

    Attributes:
        name: the dotted name of the module.
        kind: the module's class.
        channels: how many the layer has.
        height: rows of the map for a picture of the model's size; 1 for a vector.
        width: columns of the map.
        receptive_field: what a position sees; None where that is the whole picture or not known by arithmetic.
    """

    name: str
    kind: str
    channels: int
    height: int
    width: int
    receptive_field: ReceptiveField | None


class Model:
    """A network, and everything needed to ask it: made by `load`, never subclassed.

    Attributes:
        network: the module itself, used as it is and left as it was.
        name: for people.
        spec: what it was loaded from.
        channels: of the pictures it takes.
        size: height and width that it was made for; other sizes work wherever the network itself allows them.
        mean: subtracted from each channel of a picture in [0, 1].
        std: what each channel is then divided by.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        spec: str,
        channels: int,
        size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        classes: Sequence[str] = (),
    ) -> None:
        self.network, self.name, self.spec, self.channels, self.size = network, name, spec, channels, size
        self.mean, self.std = tuple(mean), tuple(std)
        self._classes = tuple(classes)

    def __repr__(self) -> str:
        height, width = self.size
        return f"Model({self.name!r}, {self.channels} × {height} × {width})"

    @property
    def device(self) -> torch.device:
        """Where the network's first tensor lies."""
        return next((tensor.device for tensor in self._tensors()), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        """The type of the network's first floating-point tensor."""
        return next((tensor.dtype for tensor in self._tensors() if tensor.is_floating_point()), torch.float32)

    def _tensors(self) -> Iterator[Tensor]:
        return itertools.chain(self.network.parameters(), self.network.buffers())

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        """Every named module that gives a map, a row of tokens or a vector, in the order of finishing; found by one dry run."""
        return MappingProxyType({name: _layer(place) for name, place in self._survey.places.items() if name != OUTPUT})

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the network's outputs; their numbers where no names are known."""
        return self._classes if self._classes else self._numbers

    @cached_property
    def _numbers(self) -> tuple[str, ...]:
        return tuple(map(str, range(self._survey.outputs)))

    @cached_property
    def _survey(self) -> Survey:
        grey = torch.full((2, self.channels, *self.size), 0.5)
        found = survey(self.network, self.preprocess(grey))
        if self._classes and len(self._classes) != found.outputs:
            raise UsageError(
                f"classes: {len(self._classes)} names for the {found.outputs} outputs of {self.name}; give one name for each output"
            )
        return found

    @property
    def takers(self) -> frozenset[str]:
        """The names of the functions of torch that the network gives its pictures to, such as `conv2d`."""
        return self._survey.takers

    def place(self, name: str) -> Place:
        """Where and in which form the network gives a layer; for `capture` and its kin.

        Raises:
            NotFoundError: no such layer; the nearest names are listed.
        """
        if name not in self.layers:
            raise NotFoundError("layer", name, self.layers, f"`pellucid layers {self.spec}` lists them")
        return self._survey.places[name]

    def layer(self, name: str) -> Layer:
        """The layer of this name; `"logits"` is the network's output.

        Raises:
            NotFoundError: no such layer; the nearest names are listed.

        Example:
            >>> import pellucid.models as models
            >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), size=8)
            >>> model.layer("0").channels, model.layer("0").receptive_field.size
            (4, (3, 3))
        """
        if name == OUTPUT:
            return Layer(OUTPUT, type(self.network).__name__, self._survey.outputs, 1, 1, None)
        self.place(name)
        return self.layers[name]

    def depth(self, name: str) -> int:
        """How many layers have finished once this one has, in the order of `layers`; `"logits"` comes after all.

        Raises:
            NotFoundError: no such layer; the nearest names are listed.

        Example:
            >>> import pellucid.models as models
            >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), size=8)
            >>> model.depth("0"), model.depth("1"), model.depth("logits")
            (1, 2, 3)
        """
        self.layer(name)
        return self._depths[name]

    @cached_property
    def _depths(self) -> dict[str, int]:
        return {name: place for place, name in enumerate([*self.layers, OUTPUT], 1)}

    def class_index(self, name: str | int) -> int:
        """The index of a class given by its name or its number.

        Raises:
            NotFoundError: no such class; the nearest names are listed.
            UsageError: two classes have this name.

        Example:
            >>> import pellucid.models as models
            >>> model = models.load(nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), size=1, classes=["cat", "dog"])
            >>> model.class_index("dog"), model.class_index(1), model.class_index("0")
            (1, 1, 0)
        """
        if same := [index for index, known in enumerate(self.classes) if known == name]:
            if len(same) > 1:
                raise UsageError(f"class {name!r} is the name of {', '.join(map(str, same))}; give the number")
            return same[0]
        if (isinstance(name, int) or name.isdecimal()) and 0 <= int(name) < len(self.classes):
            return int(name)
        hint = f"or a number from 0 to {len(self.classes) - 1}" if self.classes else ""
        raise NotFoundError("class", str(name), self.classes, hint)

    def preprocess(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Images in [0, 1] as the network wants them: on its device, of its type, normalised; never resized.

        Raises:
            UsageError: not a batch of floating-point images with the model's channels.
        """
        if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[1] != self.channels or not images.is_floating_point():
            came = f"{images.dtype} of shape {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
            raise UsageError(
                f"images: {came}; {self.name} takes floating-point images in [0, 1] of shape (n, {self.channels}, h, w)"
            )
        images = images.to(self.device, self.dtype)
        mean, std = (images.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (images - mean) / std

    def fingerprint(self) -> str:
        """A hexadecimal SHA-256 over the architecture, the weights and the preprocessing: what a picture depends on."""
        digest = hashlib.sha256()
        architecture = re.sub(r" at 0x[0-9a-f]+", "", repr(self.network))  # addresses differ from run to run
        digest.update(repr((architecture, self.channels, self.size, self.mean, self.std)).encode())
        for name, value in sorted(self.network.state_dict().items()):
            digest.update(f"\n{name} ".encode())
            digest.update(_bytes(value) if isinstance(value, Tensor) else repr(value).encode())
        return digest.hexdigest()


def _layer(place: Place) -> Layer:
    height, width = place.form.grid
    return Layer(place.name, place.kind, place.channels, height, width, place.receptive_field)


def _bytes(value: Tensor) -> bytes:
    flat = value.detach().cpu().contiguous().reshape(-1)
    return f"{value.dtype} {tuple(value.shape)} ".encode() + flat.view(torch.uint8).numpy().tobytes()
