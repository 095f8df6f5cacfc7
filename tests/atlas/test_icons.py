from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pellucid import models
from pellucid.atlas.grid import whitening
from pellucid.atlas.icons import icon_objective, icon_size, render_icons
from pellucid.errors import UsageError
from pellucid.models.model import Model


def network() -> Model:
    """Three channels that answer to red, green and blue."""
    convolution = nn.Conv2d(3, 3, 3, bias=False)
    with torch.no_grad():
        convolution.weight.zero_()
        for channel in range(3):
            convolution.weight[channel, channel] = 1 / 9
    return models.load(nn.Sequential(convolution, nn.ReLU()), size=(32, 32))


def test_icons_show_their_means() -> None:
    calls: list[tuple[int, int]] = []
    means = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], np.float32)
    icons = render_icons(network(), "1", means, size=(32, 32), steps=48, progress=lambda *at: calls.append(at))
    for icon, mean in zip(icons, means, strict=True):
        centre = icon.rendering.image[:, 14:18, 14:18].mean((1, 2))
        assert icon.cosine > 0.7
        assert centre[mean > 0].min() > centre[mean == 0].max() + 0.3
    assert calls[-1][0] == calls[-1][1]


def test_the_cosine_is_that_of_the_centre_activation() -> None:
    model, mean = network(), np.array([[0.2, 0.5, 0.1]], np.float32)
    (icon,) = render_icons(model, "1", mean, size=(32, 32), steps=3)
    map = model.network(model.preprocess(icon.rendering.image[None]))[0].detach()
    centre = map[:, map.shape[1] // 2, map.shape[2] // 2].numpy()
    assert icon.cosine == pytest.approx(float(centre @ mean[0] / np.linalg.norm(centre) / np.linalg.norm(mean)), abs=1e-5)


def test_the_same_seed_gives_the_same_icons() -> None:
    mean = np.array([[0.2, 0.5, 0.1]], np.float32)
    first, again, other = (render_icons(network(), "1", mean, size=(32, 32), steps=3, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first.rendering.image, again.rendering.image) and first.cosine == again.cosine
    assert not torch.equal(first.rendering.image, other.rendering.image)


def test_the_objective_is_dot_times_cosine_at_the_centre() -> None:
    torch.manual_seed(0)
    map, mean = torch.rand(2, 4, 5, 5), torch.rand(4)
    rows = np.random.default_rng(0).random((50, 4)).astype(np.float32)
    for whiten in (None, whitening(rows)):
        found = icon_objective("a", mean, whiten=whiten, cosine_power=2.0)({"a": map})
        target = mean if whiten is None else mean @ whiten
        centre = map[:, :, 2, 2]
        wanted = centre @ (target / target.norm()) * torch.cosine_similarity(centre, mean[None], dim=1).clamp(min=0.1) ** 2
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_icons_are_as_large_as_what_their_layer_sees() -> None:
    model = models.load(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Conv2d(2, 2, 81), nn.Conv2d(2, 2, 25)), size=(112, 128))
    assert [icon_size(model, model.layer(name)) for name in "012"] == [(40, 40), (56, 56), (72, 72)]


def test_a_mean_of_zero_has_no_icon() -> None:
    with pytest.raises(UsageError, match="zero"):
        render_icons(network(), "1", np.zeros((1, 3), np.float32))


def test_a_layer_without_a_receptive_field_is_drawn_at_the_model_size() -> None:
    model = models.load(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4)), size=(16, 16))
    (icon,) = render_icons(model, "1", np.ones((1, 4), np.float32), steps=2)
    assert icon.rendering.image.shape == (3, 16, 16)
