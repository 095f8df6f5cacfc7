from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.oracles import gradient_boxes
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.models import ReceptiveField, load

REAL = Path(os.environ.get("PELLUCID_REAL", Path(__file__).parents[2] / "../shared/real")) / "models"


def compare(network: nn.Module, size: tuple[int, int], layers: list[str] | None = None) -> int:
    """Check fields against gradients: inside always, equal where no border cuts them. Gives how many were equal."""
    model = load(network, size=size)
    known = {name: layer.receptive_field for name, layer in model.layers.items() if layer.receptive_field is not None}
    names = list(known) if layers is None else layers
    middle = [(model.layers[name].height // 2, model.layers[name].width // 2) for name in names[-1:]]
    exact = 0
    for (name, row, col), box in gradient_boxes(
        network, names, torch.rand(1, model.channels, *size), [(0, 0), (-1, -1), *middle]
    ).items():
        top, left, bottom, right = known[name].box(row, col)
        assert top <= box[0] and left <= box[1] and bottom >= box[2] and right >= box[3], (name, row, col, known[name], box)
        if top >= 0 and left >= 0 and bottom <= size[0] and right <= size[1]:
            assert (top, left, bottom, right) == box, (name, row, col)
            exact += 1
    return exact


def test_boxes_move_with_the_stride() -> None:
    field = ReceptiveField(size=(11, 4), stride=(4, 2), offset=(5.5, 0.0))
    assert field.box(0, 0) == (0, -2, 11, 2)
    assert field.box(2, 3) == (8, 4, 19, 8)


class Padded(nn.Module):
    """Asymmetric padding, dilation, a strided slice, branches of different reach, a mean over everything that gates."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide = nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(8, 4, 3, dilation=3, padding="same")
        self.flat, self.tall = nn.Conv2d(4, 4, (1, 5), padding=(0, 2)), nn.Conv2d(4, 4, (3, 1), padding=(1, 0))
        self.joined, self.sum, self.cut, self.gated = nn.Identity(), nn.Identity(), nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(F.pad(x, (0, 1, 2, 1)))
        x = self.joined(torch.cat([self.flat(x), self.tall(x)], 1))
        x = self.sum(x[:, :4] + self.wide(x))
        x = self.cut(F.max_pool2d(x, 3, 2, ceil_mode=True)[:, :, 1:-1, ::2])
        return self.gated(x * torch.sigmoid(x.mean((2, 3), keepdim=True))).mean((2, 3))


def test_padding_dilation_slices_and_branches() -> None:
    assert compare(Padded(), (64, 96)) >= 6
    layers = load(Padded(), size=(64, 96)).layers
    joined = layers["joined"].receptive_field
    assert joined is not None and joined.size == (7, 11)
    assert layers["gated"].receptive_field is None


@pytest.mark.skipif(not REAL.exists(), reason="the real networks are not here")
@pytest.mark.parametrize(
    ("spec", "size", "least"), [("squeezenet.py:SqueezeNet", (224, 200), 60), ("mobilenet.py:MobileNet", (256, 224), 40)]
)
def test_the_real_networks(spec: str, size: tuple[int, int], least: int) -> None:
    assert compare(load(f"{REAL}/{spec}").network, size) >= least


class Shuffled(nn.Module):
    """Channels in two groups, shuffled, as in ShuffleNet."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, groups=1), nn.Conv2d(8, 4, 5, stride=2)
        self.shuffled = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        n, c, h, w = x.shape
        x = self.shuffled(x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w))
        return self.second(torch.cat(x.chunk(2, 1), 1)).mean((2, 3))


def test_shuffled_channels() -> None:
    assert compare(Shuffled(), (32, 40)) == 9
    assert list(load(Shuffled(), size=(32, 40)).layers) == ["first", "shuffled", "second"]


def test_the_terrarium_inception_blocks() -> None:
    from pellucid.terrarium.network import Mixed

    assert (
        compare(nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), Mixed(8, (4, 4, 4, 4), halve=True), Mixed(16, (4, 4, 4, 4))), (96, 96)) >= 8
    )


@st.composite
def chains(draw: st.DrawFn) -> list[nn.Module]:
    stages: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "max", "average", "pad"]))
        size, stride = (draw(st.integers(1, 4)), draw(st.integers(1, 4))), draw(st.integers(1, 2))
        if kind == "conv":
            stages.append(nn.Conv2d(2, 2, size, stride, (draw(st.integers(0, 2)), 1), (draw(st.integers(1, 2)), 1)))
        elif kind == "pad":
            stages.append(nn.ZeroPad2d(tuple(draw(st.integers(0, 3)) for _ in range(4))))
        else:
            size = (max(size[0], 2), max(size[1], 2))
            pool = nn.MaxPool2d if kind == "max" else nn.AvgPool2d
            stages.append(pool(size, stride, draw(st.integers(0, 1)), ceil_mode=draw(st.booleans())))
        stages.append(nn.ReLU(inplace=True))
    return stages


@settings(max_examples=40, deadline=None, derandomize=True)
@given(chains())
def test_any_chain_of_windows(stages: list[nn.Module]) -> None:
    network = nn.Sequential(*[nn.Conv2d(3, 2, 1), *stages])
    compare(network, (72, 64), [name for name, _ in network.named_children()][-1:])


@pytest.mark.parametrize(
    "stage", [nn.ConvTranspose2d(2, 2, 2), nn.Upsample(scale_factor=2), nn.AdaptiveAvgPool2d(4), nn.GroupNorm(1, 2), nn.Flatten()]
)
def test_what_is_no_window_has_no_field(stage: nn.Module) -> None:
    layers = load(nn.Sequential(nn.Conv2d(3, 2, 1), stage), size=8).layers
    assert layers["0"].receptive_field is not None
    assert layers["1"].receptive_field is None


def test_branches_that_move_at_different_strides_have_no_field() -> None:
    class Uneven(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sum = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.sum(x[:, :, ::2] + x[:, :, : x.shape[2] // 2])

    assert load(Uneven(), size=8).layers["sum"].receptive_field is None


def test_what_hides_from_the_trace_is_not_taken_for_a_constant() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sum = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.sum(x + torch.from_numpy(x.numpy()[..., ::-1].copy()))

    layer = load(Network(), size=8).layers["sum"]
    assert layer.receptive_field is None and (layer.channels, layer.height) == (3, 8)
