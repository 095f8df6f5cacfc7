"""Pictures in stages: auxiliary heads, blur that shrinks, small first."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import Float
from tests.vis.recipes.scenes import network, scene
from torch import Tensor

from pellucid.arrays import resized
from pellucid.errors import UsageError
from pellucid.models import capture
from pellucid.terrarium.world import CLASSES
from pellucid.vis import Method, channel, direction, pixel, render
from pellucid.vis.filters import gaussian_blur
from pellucid.vis.objectives import Objective, diversity
from pellucid.vis.recipes.coarse import Stage, auxiliary_stages, coarse_to_fine, progressive, shrinking_blur


def test_each_stage_starts_from_the_one_before_enlarged() -> None:
    first, second = channel("mixed3a", 5), channel("conv2", 7)
    stages = [
        Stage(objective=first, steps=3, scale=0.5, blur=(1.5, 0.5), learning_rate=(0.1, 0.1)),
        Stage(objective="conv2:7", steps=2, blur=(0.5, 0.2)),
    ]
    heard: list[tuple[int, int]] = []
    made = coarse_to_fine(network(), stages, size=(64, 48), seed=3, progress=lambda *numbers: heard.append(numbers))
    (small,) = render(
        network(),
        [first],
        size=(32, 24),
        steps=3,
        seeds=3,
        method=Method(learning_rate=(0.1, 0.1), picture_filter=lambda images, at: gaussian_blur(images, 1.5 - at)),
    )
    (large,) = render(
        network(),
        [second],
        start=resized(small.image, (64, 48)),
        steps=2,
        method=Method(picture_filter=lambda images, at: gaussian_blur(images, 0.5 - 0.3 * at)),
    )
    assert [tuple(each.image.shape) for each in made] == [(3, 32, 24), (3, 64, 48)]
    assert torch.allclose(made[0].image, small.image, atol=1e-4)
    assert torch.allclose(made[1].image, large.image, atol=1e-3)
    assert heard == [(done, 5) for done in range(1, 6)]


def test_a_blur_at_its_ends() -> None:
    images, blur = torch.rand(2, 3, 16, 16), shrinking_blur(2.0, 0.5)
    for progress, sigma in [(0.0, 2.0), (0.5, 1.25), (1.0, 0.5)]:
        assert torch.equal(blur(images, progress), gaussian_blur(images, sigma))


def test_the_schedule_of_deepdraw_is_the_published_one() -> None:
    stages = auxiliary_stages("a", "b", "c")
    assert [(stage.objective, stage.steps, stage.blur) for stage in stages] == [
        ("c", 190, (2.5, 0.78)),
        ("c", 150, (0.936, 0.78)),
        ("b", 150, (0.936, 0.44)),
        ("a", 10, (0.44, 0.304)),
    ]
    assert [round(224 * stage.scale) for stage in stages] == [156, 187, 224, 224]
    small = auxiliary_stages("a", "b", "c", steps=50, size=112)
    assert [stage.steps for stage in small] == [19, 15, 15, 1]
    assert small[0].blur == (1.25, 0.39)


def probes(layer: str) -> Float[Tensor, "k c"]:
    """The directions by which least squares tell the classes apart in a layer's mean activations."""
    labels = [index for index in range(len(CLASSES)) for _ in range(4)]
    images = torch.stack([scene(CLASSES[label], index) for index, label in enumerate(labels)])
    with torch.no_grad():
        pooled = capture(network(), images, [layer])[layer].mean((2, 3)).double()
    centred = (pooled - pooled.mean(0)) / pooled.std(0).clamp(min=1e-6)
    ridge = centred.T @ centred + len(labels) * torch.eye(centred.shape[1])
    weights = torch.linalg.solve(ridge, centred.T @ torch.eye(len(CLASSES)).double()[labels])
    assert ((centred @ weights).argmax(1) == torch.tensor(labels)).double().mean() > 0.9
    return (weights.T / pooled.std(0).clamp(min=1e-6)).float()


def fine_detail(image: Float[Tensor, "c h w"]) -> float:
    """The mean power above 16 cycles a picture, on a logarithmic scale."""
    window = torch.hann_window(image.shape[1])[:, None] * torch.hann_window(image.shape[2])
    power = torch.fft.fft2((image.mean(0) - image.mean()) * window).abs().square()
    rows, cols = (torch.fft.fftfreq(side, 1 / side) for side in image.shape[1:])
    cycles = torch.hypot(rows[:, None], cols)
    return float(power[cycles > 16].mean().log10())


def test_earlier_heads_put_in_the_fine_detail() -> None:
    """Øygard's reason for them; that the layout is better too does not hold on the terrarium."""
    early, middle = probes("mixed3a"), probes("mixed4a")
    plain = Method(parameterization=pixel(colours=None))

    def detail(heads: tuple[Objective | str, Objective | str, str]) -> float:
        stages = auxiliary_stages(*heads, steps=100, size=96)
        return fine_detail(coarse_to_fine(network(), stages, size=96, method=plain)[-1].image)

    index, last = list(CLASSES).index("lighthouse"), "class:lighthouse"
    heads = direction("mixed3a", early[index]), direction("mixed4a", middle[index]), last
    assert detail(heads) > detail((last, last, last)) + 0.05


def test_progressive_is_small_first_then_full() -> None:
    heard: list[tuple[int, int]] = []
    (made, other) = progressive(
        network(),
        ["class:lake", channel("mixed3a", 5)],
        size=(64, 80),
        steps=4,
        seeds=[1, 2],
        progress=lambda *numbers: heard.append(numbers),
    )
    rates = [Method(learning_rate=pair) for pair in ((0.2, 0.12), (0.12, 0.04))]
    (small,) = render(network(), ["class:lake"], size=(32, 40), steps=3, seeds=1, method=rates[0])
    (large,) = render(network(), ["class:lake"], start=resized(small.image, (64, 80)), steps=1, method=rates[1])
    assert torch.allclose(made.image, large.image, atol=1e-3)
    assert len(made.history) == len(other.history) == 4
    assert heard[-1] == (8, 8) and heard == sorted(heard)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: coarse_to_fine(network(), []), "stages"),
        (lambda: Stage(objective="conv1:0", steps=0), "1 step"),
        (lambda: Stage(objective="conv1:0", steps=1, scale=0), "scale"),
        (lambda: Stage(objective="conv1:0", steps=1, blur=(-1, 1)), "blur"),
        (lambda: coarse_to_fine(network(), [Stage(objective=diversity("conv1"), steps=1)]), "4 pictures"),
        (lambda: auxiliary_stages("a", "b", "c", steps=49), "at least 50"),
        (lambda: progressive(network(), ["conv1:0"], steps=1), "at least 2"),
        (lambda: progressive(network(), ["conv1:0"], scale=1), "between 0 and 1"),
        (lambda: progressive(network(), ["conv1:0"], small=0), "between 0 and 1"),
    ],
)
def test_wrong_use_is_refused(call: object, said: str) -> None:
    assert callable(call)
    with pytest.raises(UsageError, match=said):
        call()
