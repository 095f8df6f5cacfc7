"""What is claimed of feature visualization, measured on the terrarium, whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise

import pytest
import torch
from tests.test_real import REAL
from torch import Tensor
from torch.nn import functional

from pellucid.figures.measures import Crowd, fine_share, lattice_share
from pellucid.models import Model, capture, load
from pellucid.terrarium.train import pictures
from pellucid.vis import Method, Objective, channel, logit, neuron, render
from pellucid.vis.filters import bilateral, gaussian_blur
from pellucid.vis.objectives import blur_residual, l1, l2, log_probability, probability, sigmoid, tanh, total_variation
from pellucid.vis.presets import PRESETS
from pellucid.vis.recipes.measures import answers, pooled

NAIVE = PRESETS["none"]
UNITS = [channel("mixed3b", 5), channel("mixed3b", 10), channel("mixed4b", 12), channel("mixed4b", 100)]
CLASSES = range(0, 18, 2)
DEEP = ["mixed3b", "mixed4a", "mixed4b"]


@pytest.fixture(scope="module")
def model() -> Model:
    return load("terrarium")


@pytest.fixture(scope="module")
def judge() -> Model:
    return load("terrarium:judge")


@pytest.fixture(scope="module")
def real() -> tuple[Tensor, Tensor]:
    """360 pictures of a world that no network has seen, with their classes."""
    return drawn(360)


@pytest.fixture(scope="module")
def known(judge: Model, real: tuple[Tensor, Tensor]) -> Crowd:
    """The same as the judge sees them."""
    return Crowd(judge, DEEP, real[0])


@pytest.fixture(scope="module")
def of_classes(model: Model) -> Callable[[Method], Tensor]:
    """Pictures of half of the classes by their logits, each method once."""
    return cache(lambda method: made(model, [logit(index) for index in CLASSES], method))


def drawn(count: int, *, seed: int = 7) -> tuple[Tensor, Tensor]:
    images, labels = pictures(count, seed=seed, workers=0)
    return images.float() / 255, labels


def made(model: Model, objectives: Sequence[Objective], method: Method, *, steps: int = 32, seed: int = 0) -> Tensor:
    return torch.stack([each.image for each in render(model, objectives, size=96, steps=steps, method=method, seeds=seed)])


def scored(model: Model, objectives: Sequence[Objective], images: Tensor) -> Tensor:
    return torch.cat([answers(model, each, image[None]) for each, image in zip(objectives, images, strict=True)])


def falls(values: Tensor) -> bool:
    """Whether every column falls from row to row."""
    return bool((values.diff(dim=0) < 0).all())


# Gradient ascent


@pytest.mark.slow
def test_pictures_exceed_all_but_a_thousandth_of_real_ones(model: Model) -> None:
    """Units spread evenly over five layers: nearly all with the standard method, all of them on plain pixels."""
    layers = ["mixed3a", "mixed3b", "mixed4a", "mixed4b", "logits"]
    parts: dict[str, list[Tensor]] = {name: [] for name in layers}
    with torch.no_grad():
        for batch in drawn(2000)[0].split(50):
            for name, maps in capture(model, batch, layers).items():
                parts[name].append(maps.mean((2, 3)))
    units, bounds = [], []
    for name in layers:
        found = torch.cat(parts[name])
        indices = [index for index in range(0, found.shape[1], max(1, found.shape[1] // 4)) if found[:, index].std() > 1e-3]
        units += [logit(index) if name == "logits" else channel(name, index) for index in indices]
        bounds += found[:, indices].quantile(0.999, dim=0).tolist()
    standard, plain = (scored(model, units, made(model, units, method, steps=48)) for method in (Method(), NAIVE))
    assert len(units) >= 20
    assert (plain > torch.tensor(bounds)).all()
    assert (standard > torch.tensor(bounds)).sum() >= 0.9 * len(units)


@pytest.mark.parametrize("name", ["none", "frequency", "robust"])
def test_the_objective_rises_all_the_way(model: Model, name: str) -> None:
    """Untransformed, at every eighth step; and smoothed over eight steps where no transforms are drawn."""
    moments = range(0, 49, 8)
    renderings = render(model, UNITS, size=96, steps=48, method=PRESETS[name], snapshots=moments)
    for unit, each in zip(UNITS, renderings, strict=True):
        scores = answers(model, unit, torch.stack([each.snapshots[moment] for moment in moments]))
        assert (scores.diff() > 0).all(), unit
        smooth = torch.tensor(each.history).unfold(0, 8, 1).mean(1)
        rising = (smooth.diff() > 0).float().mean()
        assert rising == 1 if name != "robust" else rising > 0.6, unit


# A penalty on size


def test_a_larger_weight_makes_the_known_optimum_smaller(model: Model) -> None:
    """A unit that is a plane has its optimum in closed form: each value moves by its own gradient over twice the weight."""
    unit, table = channel("conv1.conv", 3), []
    grey = torch.full((1, 3, 96, 96), 0.5, requires_grad=True)
    (slope,) = torch.autograd.grad(unit(capture(model, grey, ["conv1.conv"])).sum(), grey)
    force = slope[0] * slope.numel()  # of each value, as the penalty is a mean over all
    for weight in (1.25, 2.5, 5.0, 10.0):
        cost = weight * float(force.abs().max())
        image = render(model, [unit - cost * l2()], size=96, steps=128, method=NAIVE)[0].image
        torch.testing.assert_close(image, 0.5 + force / (2 * cost), atol=0.05, rtol=0)
        table.append([float(answers(model, each, image[None])) for each in (unit, l2())])
    assert falls(torch.tensor(table)), table


@pytest.mark.parametrize("penalty", [l1(), l2()], ids=str)
def test_a_larger_weight_makes_smaller_pictures_that_answer_less(
    model: Model, real: tuple[Tensor, Tensor], penalty: Objective
) -> None:
    """In units of what the best real picture gives over what a typical one costs."""
    parts, photos = (0.0, 0.25, 1.0, 4.0), real[0]
    cost = float(answers(model, penalty, photos).median())
    weights = [float(answers(model, unit, photos).max()) / cost for unit in UNITS]
    objectives = [unit - (part * each) * penalty for part in parts for unit, each in zip(UNITS, weights, strict=True)]
    images = made(model, objectives, NAIVE)
    sizes = answers(model, penalty, images).view(len(parts), -1)
    scores = scored(model, UNITS * len(parts), images).view(len(parts), -1)
    assert falls(sizes)
    share = (scores / scores[0])[1:]
    assert falls(share.mean(1, keepdim=True)) and falls(share[1:])
    assert share[0].max() < 1.2  # the smallest weight helps a little, where 32 steps have not reached the optimum


# Objectives


def test_a_channel_repeats_what_a_neuron_shows_once(model: Model) -> None:
    """The places where the unit answers at least half as much as at its best, as local maxima of its map."""
    indices = (5, 10, 40, 77, 100)
    for layer in ("mixed3b", "mixed4a"):
        units = [channel(layer, index) for index in indices] + [neuron(layer, index) for index in indices]
        with torch.no_grad():
            maps = capture(model, made(model, units, Method(), steps=64), [layer])[layer]
        own = torch.stack([each[index] for each, index in zip(maps, indices * 2, strict=True)])
        best = own.amax((1, 2), keepdim=True)
        summits = (own == functional.max_pool2d(own, 5, 1, 2)) & (own > best / 2)
        places = summits.sum((1, 2)).view(2, -1)
        assert (places[0] >= 2).all() and places[0].float().mean() > 3
        assert (places[1] <= 2).all() and places[1].float().mean() < 1.3
        height, width = own.shape[1:]
        for found in own[len(indices) :]:
            row, col = divmod(int(found.argmax()), width)
            assert abs(row - height // 2) <= height / 4 and abs(col - width // 2) <= width / 4  # where the neuron is


SQUASHED: dict[str, Callable[[int], Objective]] = {
    "logit": logit,
    "probability": probability,
    "log probability": log_probability,
    "sigmoid": lambda index: sigmoid(logit(index)),
    "tanh": lambda index: tanh(logit(index)),
}


def test_logits_make_the_most_convincing_classes(model: Model, judge: Model, known: Crowd) -> None:
    """By a second network: the margin of the class over the best other one; rivals and squashing each cost some of it."""
    margins, apart = {}, {}
    for name, make in SQUASHED.items():
        images = made(model, [make(index) for index in CLASSES], Method(), steps=128)
        for network in (model, judge):
            assert first_of(pooled(network, "logits", images)) >= len(CLASSES) - 1, name
        margins[name] = margin(pooled(judge, "logits", images))
        apart[name] = float(known.apart(images).mean())
    assert margins["logit"] > 1.1 * max(value for name, value in margins.items() if name != "logit")
    assert min(margins, key=margins.__getitem__) == "tanh"
    assert apart["logit"] > apart["probability"]  # they exaggerate, so that they are farther from real pictures


def first_of(logits: Tensor) -> int:
    """How many pictures of the classes are taken for theirs."""
    return int((logits.argmax(1) == torch.tensor(CLASSES)).sum())


def margin(logits: Tensor) -> float:
    """By how much the logit of the class exceeds those of all others, on average."""
    own = functional.one_hot(torch.tensor(CLASSES), logits.shape[1]).bool()
    return float((logits[own] - logits.masked_fill(own, -torch.inf).amax(1)).mean())


# Without regularisation


def test_naive_pictures_fool_the_network_and_no_neighbour(
    model: Model, real: tuple[Tensor, Tensor], of_classes: Callable[[Method], Tensor]
) -> None:
    """The nearest real picture in pixels is of the class for most real pictures, and for less than half of these."""
    images, labels = real
    others, truth = drawn(180, seed=8)
    naive, regular = of_classes(NAIVE), of_classes(Method())
    chances = scored(model, [probability(index) for index in CLASSES], naive)
    assert chances.min() > 0.95
    right = {
        name: (labels[nearest(each, images)] == classes).float().mean()
        for name, each, classes in (("real", others, truth), ("naive", naive, torch.tensor(CLASSES)))
    }
    assert right["naive"] < 0.5 < 0.75 < right["real"]
    assert fine_share(naive).mean() > 3 * fine_share(regular).mean()


def nearest(images: Tensor, known: Tensor) -> Tensor:
    return torch.cdist(images.flatten(1), known.flatten(1)).argmin(1)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(not (REAL / "photos.csv").exists(), reason="the real networks are not here (set PELLUCID_REAL)")
def test_naive_pictures_fool_one_real_network_and_not_another() -> None:
    """Eight of 1,000 classes of SqueezeNet, as MobileNet sees them; the standard method makes most of them classes to both."""
    network, other = (load(f"{REAL / 'models' / name}.py:load") for name in ("squeezenet", "mobilenet"))
    classes = [1, 8, 99, 200, 309, 340, 386, 954]
    ranks = {}
    for name, method in (("naive", NAIVE), ("regular", Method())):
        renderings = render(network, [logit(index) for index in classes], size=224, steps=64, method=method)
        images = torch.stack([each.image for each in renderings])
        assert scored(network, [probability(index) for index in classes], images).min() > 0.9
        found = pooled(other, "logits", images)
        ranks[name] = (found > found[torch.arange(len(classes)), classes][:, None]).sum(1)
    assert ranks["naive"].min() >= 10 and (ranks["regular"] < 5).sum() >= 6, ranks


# Frequencies


@pytest.mark.parametrize("penalty", [total_variation(), blur_residual()], ids=str)
def test_fine_detail_falls_with_the_weight(model: Model, real: tuple[Tensor, Tensor], penalty: Objective) -> None:
    """In units as above."""
    parts = (0.0, 1 / 64, 1 / 16, 1 / 4)
    cost = float(answers(model, penalty, real[0]).median())
    weights = [float(answers(model, unit, real[0]).max()) / cost for unit in UNITS]
    objectives = [unit - (part * each) * penalty for part in parts for unit, each in zip(UNITS, weights, strict=True)]
    fine = fine_share(made(model, objectives, NAIVE)).view(len(parts), -1)
    assert falls(fine) and (fine[-1] < fine[0] / 3).all()


def test_a_bilateral_filter_keeps_edges_that_an_equal_blur_takes(real: tuple[Tensor, Tensor]) -> None:
    """Noise is added to drawn pictures, and both filters leave as much of it where these are flat."""
    clean = real[0][::20]
    noisy = clean + 0.05 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    steps = slopes(clean)
    strength = steps.square().sum((0, 2)).sqrt()
    flat, edge = (strength < quantile(strength, 0.4)), (strength > quantile(strength, 0.97))

    def left(smooth: Callable[[Tensor], Tensor]) -> float:
        return float((smooth(noisy) - smooth(clean))[:, :, 1:, 1:].square().mean(1).sqrt()[flat].mean() / 0.05)

    def kept(smooth: Callable[[Tensor], Tensor]) -> float:
        along = (slopes(smooth(noisy)) * steps).sum((0, 2))
        return float(along[edge].sum() / strength.square()[edge].sum())

    for colour in (0.1, 0.2, 0.3):
        careful = partial(bilateral, sigma_space=1.5, sigma_colour=colour)
        sigma = bisected(lambda sigma: left(partial(gaussian_blur, sigma=sigma)), left(careful))
        blurred = partial(gaussian_blur, sigma=sigma)
        assert math.isclose(left(blurred), left(careful), rel_tol=1e-2) and left(careful) < 0.4
        assert kept(careful) > 2 * kept(blurred), colour


def slopes(images: Tensor) -> Tensor:
    """The steps to the right and down, d n c h w."""
    return torch.stack([images[:, :, 1:, 1:] - images[:, :, 1:, :-1], images[:, :, 1:, 1:] - images[:, :, :-1, 1:]])


def quantile(values: Tensor, part: float) -> Tensor:
    return values.flatten(1).quantile(part, dim=1)[:, None, None]


def bisected(falling: Callable[[float], float], wanted: float) -> float:
    low, high = 0.05, 4.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > wanted else (low, middle)
    return (low + high) / 2


@pytest.mark.parametrize("sigma", [0.5, 1.5])
def test_blurred_pictures_keep_less_fine_detail_than_blurred_gradients(model: Model, sigma: float) -> None:
    def blurred(images: Tensor, progress: float) -> Tensor:
        return gaussian_blur(images, sigma)

    gradient, picture, none = (
        fine_share(made(model, UNITS, method))
        for method in (replace(NAIVE, gradient_filter=blurred), replace(NAIVE, picture_filter=blurred), NAIVE)
    )
    assert (picture < gradient / 1.5).all() and (gradient < none).all()


# Perturbed weights


def test_perturbed_weights_smooth_less_than_perturbed_pictures_and_neither_transfers_better(
    judge: Model, of_classes: Callable[[Method], Tensor]
) -> None:
    """Pictures in Fourier space, and what a second network makes of them."""
    methods = {
        "neither": Method(transforms=()),
        "weights": Method(transforms=(), weight_noise=0.1),
        "strong weights": Method(transforms=(), weight_noise=0.3),
        "pictures": Method(),
    }
    fine, margins = {}, {}
    for name, method in methods.items():
        images = of_classes(method)
        fine[name], margins[name] = float(fine_share(images).mean()), margin(pooled(judge, "logits", images))
        assert first_of(pooled(judge, "logits", images)) >= len(CLASSES) - 1, name
    assert fine["neither"] > fine["weights"] > fine["strong weights"] > fine["pictures"]
    assert max(margins.values()) < 1.1 * margins["neither"]
    assert margins["strong weights"] < min(margins["weights"], margins["pictures"])


# Preconditioning


def test_decorrelated_updates_are_white(model: Model, real: tuple[Tensor, Tensor]) -> None:
    """The spectrum of every step of the picture over that of real pictures, as a power of the frequency."""
    usual = rings(real[0]).mean(0).log2()
    tilts = {}
    for name, method in (("pixels", NAIVE), ("decorrelated", Method(transforms=()))):
        renderings = render(model, UNITS, size=96, steps=32, method=method, snapshots=range(33))
        updates = torch.stack([torch.stack([*each.snapshots.values()]).diff(dim=0) for each in renderings])
        tilts[name] = tilt(rings(updates.flatten(0, 1)).log2() - usual).view(len(UNITS), -1).mean(1)
    assert tilts["decorrelated"].mean().abs() < 0.2 < 0.4 < tilts["pixels"].mean()
    assert (tilts["decorrelated"].abs() < 0.4).all() and (tilts["decorrelated"] < tilts["pixels"]).all()


def rings(images: Tensor) -> Tensor:
    """The mean power of pictures in rings of half an octave, from 2 / 96 to nearly half a cycle a pixel."""
    frequency = torch.hypot(torch.fft.fftfreq(96)[:, None], torch.fft.fftfreq(96))
    power = torch.fft.fft2(images).abs().square().mean(1)
    edges = [2 / 96 * 2 ** (half / 2) for half in range(10)]
    return torch.stack([power[:, (low < frequency) & (frequency <= high)].mean(1) for low, high in pairwise(edges)], 1)


def tilt(powers: Tensor) -> Tensor:
    """The slope of log power over log frequency: 0 is white."""
    octaves = torch.arange(powers.shape[1]) / 2
    octaves -= octaves.mean()
    return (powers * octaves).sum(1) / octaves.square().sum()


def test_optima_of_pixels_are_within_reach_of_decorrelated_ascent(model: Model) -> None:
    """Preconditioning changes the way and not the optima: from the pictures of one, the other goes on upwards."""
    before = render(model, UNITS, size=96, steps=48, method=NAIVE)
    slow = Method(transforms=(), learning_rate=(0.002, 0.002))
    after = render(model, UNITS, size=96, steps=8, method=slow, start=[each.image for each in before])
    for first, second in zip(before, after, strict=True):
        assert first.score < second.score < 1.05 * first.score
        assert (second.image - first.image).square().mean().sqrt() < 0.02


CORNERS = {
    "neither": NAIVE,
    "decorrelated": Method(transforms=()),
    "robust": Method(parameterization=NAIVE.parameterization),
    "both": Method(),
}
RATES = (0.01, 0.05, 0.25)


@pytest.fixture(scope="module")
def corners(model: Model) -> dict[str, list[Tensor]]:
    """The pictures of each corner at three learning rates."""
    return {
        name: [made(model, UNITS, replace(method, learning_rate=(rate, rate)), steps=24) for rate in RATES]
        for name, method in CORNERS.items()
    }


def test_decorrelation_gets_further_in_small_steps_only(model: Model, corners: dict[str, list[Tensor]]) -> None:
    pixels, decorrelated = (
        torch.stack([scored(model, UNITS, images) for images in corners[name]]) for name in ("neither", "decorrelated")
    )
    gain = (decorrelated / pixels).log().mean(1).exp()
    assert gain[0] > 1.1 and gain[2] < 0.9, gain


def test_robustness_leaves_less_of_the_lattice_than_decorrelation(corners: dict[str, list[Tensor]]) -> None:
    """Fine detail and the peaks of a stride of 2, at all rates; both together leave the least fine detail."""
    fine, lattice = (
        {name: torch.stack([count(images).mean() for images in rates]) for name, rates in corners.items()}
        for count in (fine_share, partial(lattice_share, period=2))
    )
    for name in ("decorrelated", "robust"):
        assert (fine["both"] < fine[name]).all() and (fine[name] < fine["neither"] / 2).all(), fine
        assert (lattice[name] < lattice["neither"] / 2).all(), lattice
    assert lattice["robust"].mean() < lattice["decorrelated"].mean(), lattice
