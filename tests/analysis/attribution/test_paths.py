from __future__ import annotations

import pytest
import torch
from tests.analysis.attribution.worlds import network, noise, scenes, small
from torch import Tensor, nn

from pellucid.analysis.attribution import integrated_gradients, saliency, smoothgrad
from pellucid.analysis.attribution import parts as parts_file
from pellucid.errors import UsageError
from pellucid.models import capture, load
from pellucid.vis import logit


def slope(image: Tensor) -> Tensor:
    """The gradient of class 1 of the small network at one picture, without anything of ours but the network."""
    model = small()
    leaf = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.network(model.preprocess(leaf[None]))[0, 1], leaf)
    return gradient


def test_integrated_gradients_one_step_at_a_time() -> None:
    images, baseline = noise(3), torch.full((3, 1, 1), 0.25)
    found = integrated_gradients(small(), images, "class:1", baseline=baseline, steps=6)
    for image, values in zip(images, found.values, strict=True):
        total = torch.zeros_like(image)
        for step in range(6):
            total += slope(baseline + (step + 0.5) / 6 * (image - baseline)) / 6
        torch.testing.assert_close(values, total * (image - baseline), atol=1e-6, rtol=1e-4)


def test_they_sum_up_to_what_the_score_rises() -> None:
    images = scenes("house")
    errors = []
    for steps in (2, 32):
        found = integrated_gradients(network(), images, "class:house - class:lake", steps=steps)
        assert found.base is not None
        errors.append(float((found.map.sum((1, 2)) + found.base - found.scores).abs().sum()))
    assert errors[1] < 0.2 * errors[0] and errors[1] < 0.2
    black = capture(network(), torch.zeros(1, 3, 96, 96), ["logits"])["logits"][0, :, 0, 0]
    assert found.base[0].item() == pytest.approx(float(black[5] - black[2]), abs=1e-4)


def test_of_a_linear_score_one_step_is_exact() -> None:
    model = load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 5)), size=8)
    found = integrated_gradients(model, noise(2, 8), "class:2", steps=1, baseline=0.5)
    assert found.base is not None
    torch.testing.assert_close(found.map.sum((1, 2)) + found.base, found.scores)


def test_smoothgrad_one_sample_at_a_time() -> None:
    images = noise(3)
    found = smoothgrad(small(), images, "class:1", noise=0.2, samples=5, seed=4)
    drawn = [torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(4 * 2**20 + each)) for each in range(5)]
    for image, values, shown in zip(images, found.values, found.map, strict=True):
        expected = torch.stack([slope(image + 0.2 * each) for each in drawn]).mean(0)
        torch.testing.assert_close(values, expected, atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(shown, expected.abs().amax(0), atol=1e-6, rtol=1e-4)
    assert torch.equal(found.map, smoothgrad(small(), images, "class:1", noise=0.2, samples=5, seed=4).map)
    assert not torch.equal(found.map, smoothgrad(small(), images, "class:1", noise=0.2, samples=5, seed=5).map)


def test_with_hardly_any_noise_it_is_saliency() -> None:
    images = scenes("house")
    smooth = smoothgrad(network(), images, "class:house", noise=1e-7, samples=2)
    torch.testing.assert_close(smooth.map, saliency(network(), images, "class:house").map, atol=1e-4, rtol=1e-2)


def test_each_picture_of_many_steps_keeps_its_own_target() -> None:
    images, targets = noise(3), [logit(0), "class:3", "conv2:1"]
    together = integrated_gradients(small(), images, targets, steps=11)
    for place, target in enumerate(targets):
        alone = integrated_gradients(small(), images[place : place + 1], target, steps=11)
        torch.testing.assert_close(together.map[place], alone.map[0], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_however_many_are_in_the_network_at_once(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = integrated_gradients(small(), noise(3), "class:1", steps=5)
    seen: list[int] = []
    monkeypatch.setattr(parts_file, "natural_batch", lambda *_: limit)
    monkeypatch.setattr(parts_file, "capture", parts_file.capture)
    model = small()
    handle = model.network.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    found = integrated_gradients(model, noise(3), "class:1", steps=5)
    handle.remove()
    torch.testing.assert_close(found.map, expected.map, atol=1e-6, rtol=1e-4)
    assert max(seen) <= max(2, limit)  # 2 is the survey of the network


def test_ranges() -> None:
    with pytest.raises(UsageError, match="steps=0"):
        integrated_gradients(small(), noise(), "class:1", steps=0)
    with pytest.raises(UsageError, match="baseline: 4, which does not broadcast to images of 2 × 3 × 16 × 16"):
        integrated_gradients(small(), noise(), "class:1", baseline=torch.zeros(4))
    with pytest.raises(UsageError, match="noise=0"):
        smoothgrad(small(), noise(), "class:1", noise=0)
    with pytest.raises(UsageError, match="samples=0"):
        smoothgrad(small(), noise(), "class:1", samples=0)
