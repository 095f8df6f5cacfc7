"""What every parameterization promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis.params import (
    Canvas,
    Parameterization,
    cppn,
    fit_colours,
    fourier,
    laplacian,
    maco,
    mean_magnitude,
    pixel,
    shared,
    transparent,
)

CPU = torch.device("cpu")
PHOTOS = torch.rand(4, 3, 15, 20, generator=torch.Generator().manual_seed(0)).cumsum(3).mul(0.05).clamp(0.02, 0.98)
KINDS = {
    "pixel": pixel(),
    "fourier": fourier(),
    "laplacian": laplacian(),
    "maco": maco(),
    "maco, own statistic": maco(magnitude=mean_magnitude(PHOTOS)),
    "cppn": cppn(depth=3),
    "shared": shared(),
    "transparent": transparent(),
    "transparent pixel": transparent(pixel()),
}
ALONE = [name for name in KINDS if name != "shared"]
SETTABLE = [name for name in KINDS if name not in ("cppn", "maco", "maco, own statistic")]


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def canvas(kind: str, *seeds: int, channels: int = 3, size: tuple[int, int] = (16, 24)) -> Canvas:
    return KINDS[kind](len(seeds), channels, *size, generators=generators(*seeds), device=CPU)


def stirred(kind: str, *seeds: int, channels: int = 3, size: tuple[int, int] = (16, 24)) -> Canvas:
    """A canvas whose tensors are all away from their start, by noise that depends on the picture alone."""
    made = canvas(kind, *seeds, channels=channels, size=size)
    with torch.no_grad():
        for param in made.params:
            if len(param) == len(seeds):
                param += torch.stack([torch.randn(param.shape[1:], generator=g) for g in generators(*(s + 100 for s in seeds))])
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_parameterization(kind: str) -> None:
    assert isinstance(KINDS[kind], Parameterization)
    assert hash(KINDS[kind]) == hash(replace(KINDS[kind]))  # type: ignore[type-var]
    assert len(repr(KINDS[kind])) < 150


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 2), (17, 30), (33, 24)])
def test_any_size_and_channels(kind: str, channels: int, size: tuple[int, int]) -> None:
    made = canvas(kind, 1, 2, 3, channels=channels, size=size)
    images = made.images()
    assert images.shape == (3, channels + kind.startswith("transparent"), *size)
    assert images.is_contiguous() and images.dtype == torch.float32
    assert images.isfinite().all() and images.min() >= 0 and images.max() <= 1
    assert all(param.is_leaf and param.requires_grad for param in made.params)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 3])
def test_gradients_reach_every_number(kind: str, count: int) -> None:
    """Twice: the hidden layers of a network that starts from grey hear nothing at first."""
    made = canvas(kind, *range(count))
    adam = torch.optim.Adam(made.params, lr=0.1, eps=1e-16)
    target = torch.rand(made.images().shape, generator=torch.Generator().manual_seed(1))
    for _ in range(2):
        adam.zero_grad()
        (made.images() - target).square().sum().backward()
        adam.step()
    for param in made.params:
        unread = kind in ("fourier", "shared", "transparent") and param.shape[-1] == 2  # imaginary parts of real coefficients
        assert (param.grad != 0).float().mean() > (0.97 if unread or kind.startswith("maco") else 0.999)


@pytest.mark.parametrize("kind", KINDS)
def test_descent_comes_nearer(kind: str) -> None:
    made = canvas(kind, 4, 5)
    adam = torch.optim.Adam(made.params, lr=0.05, eps=1e-16)
    errors = []
    for _ in range(20):
        adam.zero_grad()
        error = (made.images()[:, :3] - PHOTOS[:1, :, :1, :1]).square().mean()
        error.backward()
        adam.step()
        errors.append(error.item())
    assert errors[-1] < 0.8 * errors[0]


@pytest.mark.parametrize("kind", ALONE)
def test_noise_belongs_to_its_generator(kind: str) -> None:
    both, second = stirred(kind, 5, 6), stirred(kind, 6)
    assert torch.equal(both.images()[1:], second.images())
    assert not torch.equal(both.images()[0], both.images()[1])


@pytest.mark.parametrize("kind", ALONE)
def test_a_gradient_belongs_to_its_picture(kind: str) -> None:
    both, second = stirred(kind, 5, 6), stirred(kind, 6)
    for made in (both, second):
        made.images()[-1].square().sum().backward()
    for param, alone in zip(both.params, second.params, strict=True):
        torch.testing.assert_close(param.grad[1:], alone.grad)
        assert not param.grad[0].any()


@pytest.mark.parametrize("kind", ["pixel", "fourier", "laplacian", "shared", "transparent"])
def test_no_noise_is_grey(kind: str) -> None:
    quiet = transparent(fourier(sd=0)) if kind == "transparent" else replace(KINDS[kind], sd=0)  # type: ignore[type-var]
    images = quiet(1, 3, 5, 6, generators=generators(0), device=CPU).images()
    assert (images == 0.5).all()


@pytest.mark.parametrize("kind", SETTABLE)
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("size", [(16, 24), (9, 13), (1, 7)])
def test_what_is_put_comes_out(kind: str, channels: int, size: tuple[int, int]) -> None:
    made = stirred(kind, 1, 2, channels=channels, size=size)
    shape = (2, channels + kind.startswith("transparent"), *size)
    photos = torch.randint(256, shape, generator=torch.Generator().manual_seed(3)) / 255
    photos[0, :, 0] = torch.tensor([0.0, 1.0]).repeat(size[1])[: size[1]]  # clipped, as photos are
    before = list(made.params)
    made.put(photos)
    assert all(param is same and param.requires_grad for param, same in zip(made.params, before, strict=True))
    assert torch.equal((made.images() * 255).round(), (photos * 255).round())
    torch.testing.assert_close(made.images()[1], photos[1].clamp(1 / 512, 1 - 1 / 512), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["cppn"])
def test_some_cannot_be_put(kind: str) -> None:
    assert canvas(kind, 1).put is None
    assert transparent(KINDS[kind])(1, 3, 8, 8, generators=generators(1), device=CPU).put is None


def test_a_picture_that_is_put_can_be_optimised() -> None:
    for kind in SETTABLE:
        made = canvas(kind, 1)
        made.put(torch.full((1, 3, 16, 24), 0.25))
        made.images().sum().backward()
        assert all(param.grad is not None for param in made.params)


def test_fitted_colours_are_what_is_mixed() -> None:
    colours = fit_colours(PHOTOS)
    for make in (pixel, fourier, laplacian, shared, cppn):
        made = make(colours=colours)(1, 3, 6, 8, generators=generators(0), device=CPU)
        plain = make(colours=None)(1, 3, 6, 8, generators=generators(0), device=CPU)
        for one, two in zip(made.params, plain.params, strict=True):
            with torch.no_grad():
                one.copy_(two.copy_(torch.randn(two.shape, generator=torch.Generator().manual_seed(9))))
        expected = torch.einsum("oc,nchw->nohw", torch.tensor(colours), plain.images().logit()).sigmoid()
        torch.testing.assert_close(made.images(), expected, atol=1e-4, rtol=1e-4)
        with pytest.raises(UsageError, match="5 rows of 5"):
            make(colours=colours)(1, 5, 6, 8, generators=generators(0), device=CPU)


@pytest.mark.parametrize("kind", ["pixel", "fourier", "laplacian", "shared", "maco"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_only_three_channels_are_mixed(kind: str, channels: int) -> None:
    made = stirred(kind, 0, channels=channels)
    made.images()[0, 0].sum().backward()
    moved = made.params[0].grad[0].flatten(1).abs().amax(1) > 0
    assert moved.tolist() == ([True] * 3 if channels == 3 else [True] + [False] * (channels - 1))
