from __future__ import annotations

import pytest
import torch
from tests.models.networks import Functional, Tokens, Tuples, seeded
from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.models import load
from pellucid.models.grids import nearest_grid


class Attention(nn.Module):
    """Modules that see attention weights (n heads t t) and queries (n heads t d), which look like maps and are none."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.qkv, self.norm, self.drop = nn.Conv2d(3, 8, 4, stride=4), nn.Linear(8, 24), nn.LayerNorm(4), nn.Dropout()
        self.out, self.windows, self.back = nn.Linear(8, 8), nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).mT
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, 2, c // 2).permute(2, 0, 3, 1, 4).unbind(0)
        weights = self.drop((self.norm(q) @ k.transpose(-2, -1)).softmax(-1))
        x = self.out((weights @ v).transpose(1, 2).reshape(n, t, c))
        side = round(t**0.5)
        windows = self.windows(x.view(n, 2, side // 2, 2, side // 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, side * side // 4, c))
        return self.back(windows.view(n, 2, 2, side // 2, side // 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, side, side, c)).mean(
            (1, 2)
        )


def test_what_only_looks_like_a_map_is_left_out() -> None:
    layers = load(Attention(), size=32).layers
    assert list(layers) == ["patches", "qkv", "out", "back"]
    assert {(layer.channels, layer.height, layer.width) for layer in layers.values()} == {(8, 8, 8), (24, 8, 8)}
    assert layers["out"].receptive_field is None


def test_fields_of_tokens_last_until_attention() -> None:
    layers = load(seeded(Tokens), size=32).layers
    assert layers["blocks.0.norm"].receptive_field == layers["patches"].receptive_field != None  # noqa: E711
    assert layers["blocks.0.attention"].receptive_field is None
    assert layers["blocks.0.mlp.1"].receptive_field is None
    assert (layers["blocks.0.mlp.1"].channels, layers["blocks.0.mlp.1"].height) == (16, 4)


def test_kinds_vectors_and_other_outputs() -> None:
    layers = load(seeded(Functional), size=(16, 24)).layers
    assert [(name, layer.kind) for name, layer in layers.items()][:2] == [("conv1", "Conv2d"), ("norm", "BatchNorm2d")]
    assert (layers["conv2"].height, layers["conv2"].width) == (8, 12)
    assert (layers["head"].channels, layers["head"].height, layers["head"].width) == (6, 1, 1)
    assert load(seeded(Tuples), size=16).layers["pair"].channels == 4


def test_grids_follow_the_picture() -> None:
    assert nearest_grid(48, (32, 24)) == (8, 6)
    assert nearest_grid(50, (224, 224)) is None
    assert nearest_grid(50, (100, 50)) == (10, 5)


def test_tokens_that_nobody_followed_are_guessed() -> None:
    class Opaque(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
            tokens = x.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4).permute(0, 2, 3, 1, 4).flatten(3).flatten(1, 2)
            return torch.cat([tokens[:, :1], tokens], 1)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(48, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(Opaque.apply(x)).mean(1)

    layer = load(Network(), size=(16, 24), channels=3).layers["linear"]
    assert (layer.channels, layer.height, layer.width) == (5, 4, 6)


def test_what_the_pictures_go_to() -> None:
    assert load(seeded(Functional), size=16).takers - {"shape", "ndim"} == {"conv2d"}
    scaled = nn.Sequential(nn.InstanceNorm2d(3), nn.Conv2d(3, 4, 3))
    assert load(scaled, size=16).takers - {"shape", "ndim"} >= {"instance_norm"}


def test_pictures_that_the_network_does_not_take() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2))
    assert len(load(network, size=8).layers) == 3
    with pytest.raises(UsageError, match=r"Sequential does not run on pictures of 3 channels, 9 × 9: .*give channels= and size="):
        _ = load(network, size=9).layers
