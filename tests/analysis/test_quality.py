"""The panel, on the terrarium, where it is known what is good; and what it accepts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest
import torch
from tests.models.untouched import untouched
from torch import Tensor, nn

from pellucid.analysis.quality import Panel, Reference, quality, reference
from pellucid.analysis.quality.panel import Worked
from pellucid.analysis.quality.views import middle
from pellucid.arrays import to_image
from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models import Model, capture, load
from pellucid.schema import to_json
from pellucid.terrarium.world import CLASSES, draw
from pellucid.vis import Objective, channel, direction, neuron, render
from pellucid.vis.methods import Method
from pellucid.vis.objectives import diversity, logit, total_variation

UNITS = [f"class:{name}" for name in CLASSES[::3]] + ["mixed4a:40", "mixed4a:80"]


def scenes(count: int, *, seed: int = 1, size: int = 96) -> Tensor:
    return torch.stack([to_image(draw(index, seed=seed, masks=False, size=size).picture) for index in range(count)])


@pytest.fixture(scope="module")
def model() -> Model:
    return load("terrarium")


@pytest.fixture(scope="module")
def real(model: Model) -> Reference:
    return reference(model, scenes(180), objectives=[f"class:{name}" for name in CLASSES] + UNITS[-2:])


@pytest.fixture(scope="module")
def good(model: Model, real: Reference) -> list[Panel]:
    made = render(model, UNITS, steps=48, autocast=False)
    return [quality(each.image, unit, reference=real) for unit, each in zip(UNITS, made, strict=True)]


@pytest.fixture(scope="module")
def noise(real: Reference) -> list[Panel]:
    picture = torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0))
    return [quality(picture, f"class:{name}", reference=real) for name in CLASSES]


def mean(values: Iterator[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)


def test_optimised_pictures_worked(good: list[Panel], noise: list[Panel]) -> None:
    assert sum(panel.worked.worked for panel in good) >= len(UNITS) - 1
    assert sum(panel.worked.beyond == 1 for panel in good) >= len(UNITS) - 1
    assert not any(panel.worked.worked for panel in noise)


def test_pictures_of_classes_are_about_their_classes_and_noise_about_none(good: list[Panel], noise: list[Panel]) -> None:
    of_classes = [panel.specific for panel in good[:-2] if panel.specific]
    assert len(of_classes) == len(good) - 2
    assert mean(each.share for each in of_classes) > 0.9 and mean(each.gap for each in of_classes) > 0.3
    assert all(each.layer == "mixed4a" and each.gap > 0.1 for each in of_classes)
    of_nothing = [panel.specific for panel in noise if panel.specific]
    assert abs(mean(each.gap for each in of_nothing)) < 0.05
    assert mean(each.share for each in of_nothing) == pytest.approx(0.5, abs=0.1)


def test_without_transforms_less_is_kept(model: Model, real: Reference, good: list[Panel]) -> None:
    made = render(model, UNITS, steps=48, method=Method(transforms=[]), autocast=False)
    bare = [quality(each.image, unit, reference=real) for unit, each in zip(UNITS, made, strict=True)]
    assert mean(panel.robust.kept or 0 for panel in bare) < mean(panel.robust.kept or 0 for panel in good) - 0.04
    assert mean(panel.worked.ratio or 0 for panel in bare) > mean(panel.worked.ratio or 0 for panel in good)  # further, not better
    assert mean(panel.natural.fine.value for panel in bare) > mean(panel.natural.fine.value for panel in good)


def test_a_scene_is_natural_and_did_not_work(real: Reference) -> None:
    panels = [quality(scene, "class:lake", reference=real) for scene in scenes(18, seed=7)]
    for name in ("spectrum", "fine", "colour"):
        assert 0.35 < mean(getattr(panel.natural, name).share for panel in panels) < 0.65, name
    assert sum(panel.worked.worked for panel in panels) <= 1


def test_against_the_network_itself(model: Model, real: Reference) -> None:
    picture, photos = scenes(1, seed=7)[0], scenes(180)
    with torch.no_grad():
        scores = capture(model, photos, ["logits"])["logits"][:, 2, 0, 0]
        score = capture(model, picture[None], ["logits"])["logits"][0, 2].item()
        grey = capture(model, picture.mean(0).expand(1, 3, 96, 96), ["logits"])["logits"][0, 2].item()
    panel, typical = quality(picture, logit(2), reference=real), scores.double().median().item()
    typical = (scores.sort().values[89] + scores.sort().values[90]).item() / 2
    assert (panel.worked.score, panel.worked.best) == pytest.approx((score, scores.max().item()), rel=1e-4)
    assert panel.worked.typical == pytest.approx(typical, rel=1e-4)
    assert panel.worked.beyond == pytest.approx((scores < score).double().mean().item())
    assert panel.worked.ratio == pytest.approx((score - typical) / (scores.max().item() - typical), rel=1e-3)
    assert panel.robust.each["grey"] == pytest.approx((grey - typical) / (score - typical), rel=1e-3)
    assert (panel.objective, panel.pictures) == ("logit(2)", 180)


def test_a_shift_of_the_objective_changes_nothing(model: Model) -> None:
    photos, unit = scenes(16), channel("mixed4a", 3)
    both = reference(model, photos, objectives=[unit, unit + 100])
    size = next(iter(both.views))
    picture = scenes(1, seed=7)[0][:, : size[0], : size[1]]
    plain, shifted = (quality(picture, each, reference=both) for each in (unit, unit + 100))
    assert plain.worked.ratio == pytest.approx(shifted.worked.ratio, rel=1e-2)
    assert plain.robust.each == pytest.approx(shifted.robust.each, rel=1e-2, abs=1e-2)
    assert plain.specific == shifted.specific


def test_batches_and_companions_do_not_matter(model: Model) -> None:
    photos = scenes(40)
    one = reference(model, photos, objectives=["mixed4a:3"])
    other = reference(
        model, (photos[start : start + 7] for start in range(0, 40, 7)), objectives=["mixed4a:5", "mixed4a:3", "class:0"]
    )
    ((size, view),) = one.views.items()
    picture = middle(photos, size)[view.scores["channel('mixed4a', 3)"].argmax()]
    first, second = (numbers(asdict(quality(picture, "mixed4a:3", reference=each))) for each in (one, other))
    assert first == pytest.approx(second, rel=1e-3, abs=1e-5) and len(first) > 25


def numbers(value: object, name: str = "") -> dict[str, float]:
    if isinstance(value, dict):
        return {key: number for part, each in value.items() for key, number in numbers(each, f"{name}.{part}").items()}
    return {name: float(value)} if isinstance(value, int | float) else {}


def test_pictures_of_another_size_are_compared_with_the_middle(model: Model) -> None:
    photos = scenes(24)
    whole = reference(model, photos, objectives=["mixed3a:1"], size=(48, 64))
    cut = reference(model, photos[:, :, 24:72, 16:80], objectives=["mixed3a:1"], size=(48, 64))
    picture = torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0))
    assert quality(picture, "mixed3a:1", reference=whole) == quality(picture, "mixed3a:1", reference=cut)


def test_sentences_and_json(good: list[Panel], noise: list[Panel]) -> None:
    for panel in good + noise:
        lines = panel.lines()
        assert [line.partition(":")[0] for line in lines] == ["Worked", "Natural", "Robust", "Specific"]
        assert all(line.endswith(".") and len(line) < 180 for line in lines)
        assert json.loads(to_json(panel)) == json.loads(json.dumps(asdict(panel), allow_nan=False))
    assert f"{good[0].worked.ratio:.1f} times" in good[0].lines()[0] and "100.0%" in good[0].lines()[0]


def test_a_unit_that_no_picture_excites() -> None:
    assert Worked.of(0.0, torch.zeros(5)) == Worked(False, 0.0, 0.0, 0.0, None, 0.0)
    assert Worked.of(2.0, torch.zeros(5)) == Worked(True, 2.0, 0.0, 0.0, None, 1.0)
    assert Worked.of(3.0, torch.full((5,), 2.0)).ratio is None
    assert "no real picture" in str(Worked.of(2.0, torch.zeros(5)))


def small(channels: int) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Conv2d(channels, 6, 3), nn.Tanh(), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return load(nn.Sequential(*layers, nn.Linear(8, 5)), size=(20, 28), channels=channels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_number_of_channels(channels: int) -> None:
    subject, generator = small(channels), torch.Generator().manual_seed(0)
    units = [
        channel("2", 1),
        neuron("2", 1, row=2, col=3),
        direction("3", torch.ones(8)),
        logit(2) - 0.1 * total_variation(),
        logit(0),
    ]
    real = reference(subject, torch.rand(20, channels, 24, 28, generator=generator), objectives=units, size=(20, 28))
    for unit in units:
        panel = quality(torch.rand(channels, 20, 28, generator=generator), unit, reference=real)
        assert panel.specific is None or panel.specific.layer in ("0", "1", "2", "3")
        assert to_json(panel) and len(panel.lines()) == 4


def test_an_objective_of_the_picture_alone() -> None:
    subject, generator = small(3), torch.Generator().manual_seed(0)
    real = reference(subject, torch.rand(9, 3, 20, 28, generator=generator).mul(0.1), objectives=[total_variation()])
    panel = quality(torch.rand(3, 20, 28, generator=generator), total_variation(), reference=real)
    assert panel.worked.worked and panel.specific is None and "not known" in panel.lines()[3]


def test_a_place_is_not_moved_away() -> None:
    subject, generator = small(3), torch.Generator().manual_seed(0)
    unit = neuron("2", 1, row=2, col=3)
    real = reference(subject, torch.rand(9, 3, 20, 28, generator=generator), objectives=[unit])
    best = max(
        (torch.rand(3, 20, 28, generator=generator) for _ in range(20)), key=lambda p: quality(p, unit, reference=real).worked.score
    )
    assert not {"flip", "rotation"} & set(quality(best, unit, reference=real).robust.each)


@pytest.mark.parametrize("failure", [False, True])
def test_the_network_is_left_as_it_was(failure: bool) -> None:
    subject = small(3)
    subject.network.train()
    assert subject.layers

    def score(seen: dict[str, Tensor]) -> Tensor:
        if failure:
            raise RuntimeError
        return seen["2"].mean((1, 2, 3))

    unit = Objective("mine", frozenset({"2"}), score)
    with untouched(subject.network):
        if failure:
            with pytest.raises(RuntimeError):
                reference(subject, torch.rand(4, 3, 20, 28), objectives=[unit])
        else:
            quality(torch.rand(3, 20, 28), unit, reference=reference(subject, torch.rand(4, 3, 20, 28), objectives=[unit]))


@pytest.mark.parametrize(
    ("use", "error", "match"),
    [
        (lambda model, photos: reference(model, [], objectives=["2:1"]), UsageError, "no picture"),
        (lambda model, photos: reference(model, photos[:0], objectives=["2:1"]), UsageError, "no picture"),
        (lambda model, photos: reference(model, photos, objectives=["2:1"], size=32), UsageError, "too small"),
        (lambda model, photos: reference(model, photos, objectives=["9:1"]), NotFoundError, "'9'"),
        (lambda model, photos: reference(model, photos, objectives=[diversity("2", pictures=4)]), UsageError, "4 pictures"),
        (lambda model, photos: reference(model, photos * torch.nan, objectives=["2:1"]), PellucidError, "not a number"),
        (lambda model, photos: reference(model, photos[:, :1], objectives=["2:1"]), UsageError, "images"),
        (lambda model, photos: quality(photos[0, :2], "2:1", reference=made(model, photos)), UsageError, "picture"),
        (lambda model, photos: quality(photos, "2:1", reference=made(model, photos)), UsageError, "picture"),
        (lambda model, photos: quality(photos[0, :, :9], "2:1", reference=made(model, photos)), UsageError, "9 × 28"),
        (lambda model, photos: quality(photos[0], "2:2", reference=made(model, photos)), NotFoundError, "channel"),
        (lambda model, photos: quality(photos[0] * torch.inf, "2:1", reference=made(model, photos)), PellucidError, "not a number"),
    ],
)  # fmt: skip
def test_wrong_use(use: Callable[[Model, Tensor], object], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        use(small(3), torch.rand(4, 3, 20, 28, generator=torch.Generator().manual_seed(0)))


def made(model: Model, photos: Tensor) -> Reference:
    return reference(model, photos, objectives=["2:1"], size=(20, 28))
