"""The prior that comes with the package, against new pictures of the world that it learned from and the judge."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pellucid.analysis.quality.natural import Looks
from pellucid.arrays import to_image
from pellucid.figures.measures import Crowd
from pellucid.models import Model, load
from pellucid.terrarium.world import CLASSES, draw
from pellucid.vis.prior import load_prior, sample, sample_prior
from pellucid.vis.recipes.measures import pooled

KINDS = len(CLASSES)
LAYERS = ("mixed3b", "mixed4a", "mixed4b")
NATURAL = ("spectrum", "fine", "colour", "clipped")


@cache
def judge() -> Model:
    return load("terrarium:judge")


@cache
def drawings() -> Float[Tensor, "n 3 96 96"]:
    """Real pictures of a world that neither the prior nor a network has seen; the classes take turns."""
    return torch.stack([to_image(draw(index, seed=5, masks=False).picture) for index in range(12 * KINDS)])


@cache
def samples(seed: int) -> Float[Tensor, "18 3 96 96"]:
    """One of each class, at the strength that `sample` has by default."""
    made = sample(load("terrarium"), [f"class:{name}" for name in CLASSES], load_prior("terrarium"), seeds=seed)
    return torch.stack([each.image for each in made])


def of_the_class(images: Float[Tensor, "n 3 96 96"]) -> float:
    """The share of pictures of which the judge says the class that they were made for."""
    wanted = torch.arange(len(images)) % KINDS
    return float((pooled(judge(), "logits", images).argmax(1) == wanted).float().mean())


def spread(images: Float[Tensor, "n 3 96 96"]) -> float:
    """The mean distance between two pictures of one class, over all classes, each feature of the judge in its usual spread."""
    usual = torch.cat([pooled(judge(), layer, drawings()).std(0) for layer in LAYERS]).clamp(min=1e-6)
    seen = torch.cat([pooled(judge(), layer, images) for layer in LAYERS], 1) / usual
    return float(torch.stack([F.pdist(seen[kind::KINDS]).mean() for kind in range(KINDS)]).mean())


def test_more_than_nine_in_ten_samples_are_of_their_class_as_the_judge_sees_it() -> None:
    assert of_the_class(samples(0)) > 0.9
    assert of_the_class(samples(0).roll(1, 0)) < 0.1


def test_samples_of_a_class_differ_about_as_real_ones_do() -> None:
    assert 0.4 < spread(torch.cat([samples(0), samples(1)])) / spread(drawings()) < 1.2


def test_samples_of_the_prior_alone_look_like_data() -> None:
    """Their spectrum, fine detail, colours and clipped pixels are as ordinary as a real picture's, and so is the nearest one."""
    known = load_prior("terrarium")
    real = F.interpolate(drawings(), (known.size, known.size), mode="bilinear", antialias=True, align_corners=False)
    noise = torch.rand(8, *real.shape[1:], generator=torch.Generator().manual_seed(0))
    looks, crowd = Looks.of(real), Crowd(judge(), LAYERS, enlarged(real))

    def ordinary(images: Tensor) -> list[float]:
        each = [looks.natural(image) for image in images]
        return [float(torch.tensor([getattr(one, name).share for one in each]).median()) for name in NATURAL]

    made = sample_prior(known, range(64))
    assert min(ordinary(made)) > 0.2 and min(ordinary(noise)) == 0  # half of the real ones are below 0.5
    assert crowd.apart(enlarged(made)).median() < 1.4 and crowd.apart(enlarged(noise)).median() > 2


def enlarged(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 96 96"]:
    return F.interpolate(images, (96, 96), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
