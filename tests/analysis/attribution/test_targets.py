from __future__ import annotations

import pytest
import torch
from tests.analysis.attribution.worlds import network, noise, scenes, small
from torch import Tensor

from pellucid.analysis.attribution import attribute, parse_target, saliency
from pellucid.analysis.attribution.targets import targets_of
from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models import Model, capture, load
from pellucid.vis import Objective, channel, logit, neuron
from pellucid.vis.objectives import IMAGE, diversity


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("class:lake", "logit(2)"),
        ("class:2", "logit(2)"),
        ("-class:lake", "-logit(2)"),
        ("class:house - class:lake", "logit(5) - logit(2)"),
        ("class:house - mixed4a:7", "logit(5) - channel('mixed4a', 7)"),
        ("mixed4a:7@2,3", "neuron('mixed4a', 7, row=2, col=3)"),
        ("-class:house - class:lake", "-logit(5) - logit(2)"),
    ],
)
def test_what_targets_are_as_text(text: str, written: str) -> None:
    assert parse_target(text, network()).name == written


def test_a_class_may_have_a_dash_in_its_name() -> None:
    known = ["a - b", "x + y", *"defghijklmnopqrs"]
    model = Model(network().network, name="t", spec="t", channels=3, size=(96, 96), mean=[0] * 3, std=[1] * 3, classes=known)
    assert parse_target("class:a - b", model).name == "logit(0)"
    assert parse_target("class:x + y", model).name == "logit(1)"
    assert parse_target("class:d - class:e", model).name == "logit(2) - logit(3)"
    assert parse_target("class:a - b - class:x + y", model).name == "logit(0) - logit(1)"


def test_one_for_all_or_one_for_each() -> None:
    images = scenes("house", "lake", "fish", "house")
    given = ["class:house", neuron("mixed3a", 4, row=2, col=3), "class:fish - class:lake", "class:lake"]
    found = saliency(network(), images, given)
    assert found.target == ("logit(5)", "neuron('mixed3a', 4, row=2, col=3)", "logit(12) - logit(2)", "logit(2)")
    for place, target in enumerate(given):
        alone = saliency(network(), images[place : place + 1], target)
        torch.testing.assert_close(found.map[place], alone.map[0], atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(found.scores[place], alone.scores[0], atol=1e-4, rtol=1e-4)
    every = saliency(network(), images, "class:house")
    logits = capture(network(), images, ["logits"])["logits"][:, 5, 0, 0]
    torch.testing.assert_close(every.scores, logits.detach(), atol=1e-4, rtol=1e-4)
    assert every.target == ("logit(5)",) * 4


def test_a_target_that_reads_the_picture_itself() -> None:
    brightness = Objective("brightness", frozenset({IMAGE}), lambda seen: seen[IMAGE].mean((1, 2, 3)))
    found = saliency(small(), noise(), brightness)
    torch.testing.assert_close(found.map, torch.full((2, 16, 16), 1 / (3 * 256)))


def test_what_is_no_target() -> None:
    model, images = network(), scenes("house", "lake")
    with pytest.raises(NotFoundError, match="class 'huose' is not there \\(did you mean house"):
        saliency(model, images, "class:huose")
    with pytest.raises(NotFoundError, match="layer 'mixed9' is not there"):
        saliency(model, images, channel("mixed9", 0))
    with pytest.raises(UsageError, match="0 to 17, not 18"):
        saliency(model, images, logit(18))
    with pytest.raises(UsageError, match="1 for 2 images"):
        saliency(model, images, ["class:house"])
    with pytest.raises(UsageError, match="1 for 0 images"):
        saliency(model, images[:0], "class:house")
    with pytest.raises(UsageError, match="2 pictures together"):
        saliency(model, images, diversity("mixed3a", pictures=2))
    with pytest.raises(UsageError, match="takes floating-point images in"):
        saliency(model, images[:, :1], "class:house")
    with pytest.raises(UsageError, match="takes floating-point images in"):
        saliency(model, images[0], "class:house")
    with pytest.raises(UsageError, match="list; "):
        saliency(model, [images], "class:house")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("target", [5, None, torch.tensor([1, 2]), ["class:house", 5]], ids=str)
def test_what_is_neither_text_nor_objective(target: object) -> None:
    with pytest.raises(
        UsageError, match=r"target: .*give a unit as text, such as 'class:5', an objective, or one of these for each"
    ) as said:
        saliency(network(), scenes("house", "lake"), target)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    "text", ["class:house - class:lake - class:fish", "class:house + class:lake", "mixed4a:7 + mixed4a:8 - class:1"]
)
def test_text_knows_one_difference(text: str) -> None:
    with pytest.raises(UsageError, match="one unit and the difference of two; add up objectives from Python"):
        parse_target(text, network())


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (torch.rand(2, 3, 16, 16).index_fill(3, torch.tensor([4]), torch.nan), "not finite"),
        (torch.rand(2, 3, 16, 16).index_fill(3, torch.tensor([4]), torch.inf), "not finite"),
        (
            255 * torch.rand(2, 3, 16, 16).index_fill(3, torch.tensor([4]), 1.0),
            "to 255; .* takes pictures in \\[0, 1\\] and normalises",
        ),
        (torch.linspace(-2.1, 2.6, 1536).view(2, 3, 16, 16), "images: from -2.1 to 2.6; "),
        (torch.rand(2, 1, 16, 16), r"\(2, 1, 16, 16\)"),
        (torch.zeros(2, 3, 16, 16, dtype=torch.uint8), r"uint8 of shape \(2, 3"),
        (None, "NoneType; .* takes floating-point"),
    ],
)
@pytest.mark.parametrize("method", ["saliency", "occlusion"])
def test_what_is_no_picture(method: str, images: Tensor, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        attribute(small(), images, "class:0", method=method)


@pytest.mark.parametrize("type", [torch.float16, torch.bfloat16, torch.float64])
def test_noise_on_a_picture_is_no_reason(type: torch.dtype) -> None:
    images = (noise() + 0.3 * torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))).to(type)
    assert images.min() < 0 and images.max() > 1 and targets_of("class:0", small(), images).names == ("logit(0)",) * 2


def test_a_target_without_gradient_is_said() -> None:
    steps = Objective("steps", frozenset({"logits"}), lambda seen: seen["logits"].argmax(1)[:, 0, 0].float())
    with pytest.raises(
        PellucidError, match=r"score, which reads logits, does not reach the picture: .*; take occlusion, which needs none$"
    ):
        saliency(network(), scenes("house"), steps)


def test_images_on_another_device_or_of_another_type() -> None:
    double = load(network().network, size=96)
    assert saliency(double, scenes("house").double(), "class:0").map.dtype == torch.float32
    assert targets_of("class:0", double, scenes("house").half()).names == ("logit(0)",)
