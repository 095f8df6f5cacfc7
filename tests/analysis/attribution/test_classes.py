from __future__ import annotations

import pytest
import torch
from tests.analysis.attribution.worlds import network, noise, scenes
from tests.models.networks import ChannelsLast, Functional, Inplace, Tokens, seeded
from torch import nn

from pellucid.analysis.attribution import activation_gradient, class_maps
from pellucid.analysis.attribution import classes as classes_file
from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models import load

WAYS = {"forward mode": classes_file._by_position, "backward": classes_file._by_class}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    ("kind", "layer"), [(Inplace, "conv2"), (Functional, "conv1"), (ChannelsLast, "norm"), (Tokens, "blocks.0")]
)
def test_both_ways_are_the_stack_of_one_class_at_a_time(way, kind: type[nn.Module], layer: str) -> None:  # type: ignore[no-untyped-def]
    model, images = load(seeded(kind), size=16), noise(2)
    found = way(model, images, layer)
    for index in range(6):
        one = activation_gradient(model, images, f"class:{index}", layer=layer)
        terms = one.values.abs().sum(1).max() if kind is Tokens else one.map.abs().max()  # whose channels nearly cancel
        assert (found[:, index] - one.map).abs().max() <= 1e-4 * terms
    assert found.abs().max() > 0


def test_which_way_is_the_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    for name in ("_by_position", "_by_class"):
        function = getattr(classes_file, name)
        monkeypatch.setattr(
            classes_file, name, lambda *given, name=name, function=function: (called.append(name), function(*given))[1]
        )
    assert class_maps(network(), scenes("house"), layer="mixed4a").shape == (1, 18, 12, 12)
    model = load(nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.Flatten(), nn.Linear(64, 40)), size=16)
    assert class_maps(model, noise(3), layer="0").shape == (3, 40, 4, 4)
    assert called == ["_by_class", "_by_position"]


def test_what_has_no_classes() -> None:
    with pytest.raises(NotFoundError):
        class_maps(network(), scenes("house"), layer="mixed4")
    with pytest.raises(UsageError, match="takes floating-point"):
        class_maps(network(), scenes("house")[:, :1], layer="mixed4a")

    class Nothing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> str:
            return str(self.conv(x).sum())

    with pytest.raises(PellucidError, match=r"gave nothing|no scores"):
        class_maps(load(Nothing(), size=16), noise(), layer="conv")


@pytest.mark.parametrize("layer", ["conv1", "head"])
def test_inference_mode_is_said(layer: str) -> None:
    with torch.inference_mode(), pytest.raises(UsageError, match=r"inference_mode\(\) is on"):
        class_maps(network(), scenes("house"), layer=layer)


@pytest.mark.parametrize("layer", ["first", "last"])
def test_a_gradient_that_is_cut_is_said(layer: str) -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                x = self.last(self.first(x))
            return self.head(x.mean((2, 3)))

    with pytest.raises(PellucidError, match=f"does not reach {layer}: the network or the target cuts it"):
        class_maps(load(Cut(), size=16), noise(), layer=layer)
