from __future__ import annotations

import pytest
import torch
from tests.analysis.attribution.worlds import network, noise, scenes, small
from torch import nn

from pellucid.analysis.attribution import occlusion
from pellucid.errors import UsageError
from pellucid.models import load


@torch.no_grad()
@pytest.mark.parametrize(("window", "stride", "fill"), [(5, 3, None), (4, 4, 1.0), (16, 1, 0.0)])
def test_one_square_at_a_time(window: int, stride: int, fill: float | None) -> None:
    model, images = small(), noise(2)
    found = occlusion(model, images, "class:3", window=window, stride=stride, fill=fill)
    starts = sorted({*range(0, 16 - window + 1, stride), 16 - window})
    colour = torch.tensor(model.mean if fill is None else [fill] * 3)[:, None, None]
    for image, shown in zip(images, found.map, strict=True):
        before = model.network(model.preprocess(image[None]))[0, 3]
        drops: dict[tuple[int, int], list[float]] = {}
        for row in starts:
            for col in starts:
                covered = image.clone()
                covered[:, row : row + window, col : col + window] = colour
                drop = float(before - model.network(model.preprocess(covered[None]))[0, 3])
                for i in range(row, row + window):
                    for j in range(col, col + window):
                        drops.setdefault((i, j), []).append(drop)
        expected = torch.tensor([[sum(drops[i, j]) / len(drops[i, j]) for j in range(16)] for i in range(16)])
        torch.testing.assert_close(shown, expected, atol=1e-5, rtol=1e-3)
    assert found.values.shape == (2, 1, 16, 16)


def test_the_images_stay_as_they_were_and_each_has_its_target() -> None:
    images = scenes("house", "fish")
    before = images.clone()
    found = occlusion(network(), images, ["class:house", "class:fish"], window=32, stride=32)
    assert torch.equal(images, before)
    alone = occlusion(network(), images[1:], "class:fish", window=32, stride=32)
    torch.testing.assert_close(found.map[1], alone.map[0], atol=1e-4, rtol=1e-3)


def test_no_gradient_is_needed() -> None:
    class Hard(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x).mul(9).round().mean((2, 3))

    assert occlusion(load(Hard(), size=16), noise(), "class:1").map.abs().max() > 0


def test_ranges() -> None:
    for window, stride in ((17, 1), (4, 5), (0, 0), (4, 0)):
        with pytest.raises(UsageError, match="1 <= stride <= window <= 16"):
            occlusion(small(), noise(), "class:1", window=window, stride=stride)
