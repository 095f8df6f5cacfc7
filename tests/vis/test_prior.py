"""The learned prior: what it learns, how it is kept, and what it does to pictures."""

from __future__ import annotations

import copy
import itertools
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models import load
from pellucid.models.model import Model
from pellucid.vis import channel
from pellucid.vis.objectives import IMAGE, Objective, diversity, ramp
from pellucid.vis.prior import Prior, load_prior, naturalness, sample, sample_prior, train_prior
from pellucid.vis.prior.denoiser import Denoiser
from pellucid.vis.prior.training import orthogonal
from pellucid.vis.prior.walk import CHURN, noise_levels, walk


def plain_colours(count: int, seed: int) -> Tensor:
    """Pictures of one random colour each: whoever knows them can take out nearly all noise."""
    return torch.rand(count, 3, 1, 1, generator=torch.Generator().manual_seed(seed)).expand(-1, -1, 8, 8)


def untrained(size: int = 8, channels: int = 3) -> Prior:
    return Prior(Denoiser(channels).requires_grad_(False), size, (0.5,) * channels, 0.2, {})


@pytest.fixture(scope="module")
def prior() -> Prior:
    return train_prior(plain_colours(256, 0), size=8, steps=50, autocast=False)


@pytest.fixture(scope="module")
def model() -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    return load(network, size=24, classes=["ant", "bee", "cat", "dog"])


def error(prior: Prior, clean: Tensor, sigma: float) -> float:
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(9))
    return (prior.denoise(clean + sigma * noise, sigma) - clean).square().mean().sqrt().item()


# learning


def test_an_untrained_prior_is_the_best_one_for_pixels_that_are_gaussian() -> None:
    noisy = torch.rand(2, 3, 16, 16)
    for sigma in (0.02, 0.3, 5.0):
        wiener = 0.5 + (noisy - 0.5) * 0.2**2 / (0.2**2 + sigma**2)
        torch.testing.assert_close(untrained().denoise(noisy, sigma), wiener)


def test_each_picture_has_its_own_noise_level(prior: Prior) -> None:
    noisy = torch.rand(3, 3, 8, 8)
    together = prior.denoise(noisy, torch.tensor([0.1, 0.5, 2.0]))
    for index, sigma in enumerate((0.1, 0.5, 2.0)):
        torch.testing.assert_close(together[index], prior.denoise(noisy[index, None], sigma)[0])


def test_training_is_the_same_twice_and_leaves_the_global_generator_alone() -> None:
    images = torch.rand(8, 3, 16, 16)
    before = torch.random.get_rng_state()
    first, same, other = (train_prior(images, size=16, steps=3, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.fingerprint == same.fingerprint != other.fingerprint
    assert not any(weight.requires_grad for weight in first.network.parameters())


def test_batches_are_as_good_as_one_tensor() -> None:
    images = torch.rand(10, 1, 20, 28)
    whole = train_prior(images, size=16, steps=2)
    assert train_prior(iter(images.split(3)), size=16, steps=2).fingerprint == whole.fingerprint
    assert whole.channels == 1 and whole.settings["pictures"] == 10


def test_mean_and_spread_are_those_of_the_pictures() -> None:
    images = torch.rand(16, 3, 16, 16) * torch.tensor([0.2, 0.5, 1.0])[:, None, None]
    prior = train_prior(images, size=16, steps=1)
    torch.testing.assert_close(torch.tensor(prior.mean), images.mean((0, 2, 3)), atol=2e-3, rtol=0)
    deviation = (images - images.mean((0, 2, 3), keepdim=True)).square().mean().sqrt()
    assert prior.spread == pytest.approx(deviation.item(), abs=2e-3)


def test_one_colour_is_enough() -> None:
    prior = train_prior(torch.full((1, 3, 8, 8), 0.25), size=8, steps=3)
    assert torch.isfinite(sample_prior(prior, [0], steps=3)).all()


def test_progress_hears_every_step() -> None:
    heard: list[tuple[int, int]] = []
    train_prior(torch.rand(2, 3, 8, 8), size=8, steps=3, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (4, 4)])
def test_orthogonal_works_on_the_singular_values_alone(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1)).double()
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    values = values / values.norm()
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    torch.testing.assert_close(orthogonal(matrix), left @ values.diag() @ right, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"size": 20}, "multiple of 8, not 20"),
        ({"size": 0}, "multiple of 8, not 0"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"images": torch.rand(3, 16, 16)}, r"shape \(3, 16, 16\)"),
        ({"images": torch.zeros(2, 3, 16, 16, dtype=torch.uint8)}, "torch.uint8"),
        ({"images": [torch.rand(2, 3, 8, 8), torch.rand(2, 1, 8, 8)]}, r"shape \(2, 1, 8, 8\)"),
        ({"images": []}, "there are none"),
        ({"images": torch.rand(0, 3, 8, 8)}, "there are none"),
    ],
)
def test_wrong_training_is_refused(change: dict[str, object], says: str) -> None:
    settings = {"images": torch.rand(2, 3, 16, 16), "size": 16, "steps": 1} | change
    with pytest.raises(UsageError, match=says):
        train_prior(**settings)


# keeping


def test_a_saved_prior_is_the_same_prior(prior: Prior, tmp_path: Path) -> None:
    for name in ("a.safetensors", "b.safetensors"):
        prior.save(tmp_path / name)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert (tmp_path / "a.safetensors").stat().st_size < 1.6e6
    again = load_prior(tmp_path / "a.safetensors")
    assert again.fingerprint == prior.fingerprint and repr(again) == repr(prior)
    assert (again.size, again.mean, again.spread, again.settings) == (prior.size, prior.mean, prior.spread, prior.settings)
    noisy = torch.rand(1, 3, 8, 8)
    assert torch.equal(again.denoise(noisy, 0.2), prior.denoise(noisy, 0.2))


def test_what_is_no_prior_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        load_prior(tmp_path / "none")
    with pytest.raises(UsageError, match=r"does not end in \.safetensors"):
        untrained().save(tmp_path / "prior.pt")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(PellucidError, match="no safetensors file"):
        load_prior(tmp_path / "text.safetensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(PellucidError, match=r"not written by Prior\.save"):
        load_prior(tmp_path / "other.safetensors")


# walking


def gaussian() -> Prior:
    """A prior that knows exactly: all values are independent, of mean 0.5 and standard deviation 0.05."""
    return Prior(Denoiser(3).requires_grad_(False), 8, (0.5,) * 3, 0.05, {})


def seeded(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def drawn(generators: list[torch.Generator]) -> Tensor:
    return torch.stack([torch.randn(3, 8, 8, generator=generator) for generator in generators])


def test_noise_falls_as_published() -> None:
    levels = noise_levels(9)
    assert levels[0] == pytest.approx(5) and levels[-2] == pytest.approx(0.01) and levels[-1] == 0
    roots = [level**0.2 for level in levels[:-1]]
    assert [b - a for a, b in itertools.pairwise(roots)] == pytest.approx([(0.01**0.2 - 5**0.2) / 8] * 8)


def test_without_new_noise_sampling_is_the_probability_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Euler integration of dx/dsigma = (x - D(x)) / sigma (Karras et al. 2022, equation 3) gives the same pictures."""
    monkeypatch.setattr("pellucid.vis.prior.walk.CHURN", 0.0)
    prior, x = gaussian(), 0.5 + 5.0 * drawn(seeded(2))
    for now, then in itertools.pairwise(noise_levels(7)):
        x = x + (then - now) * (x - prior.denoise(x, now)) / now
    torch.testing.assert_close(walk(prior, seeded(2), steps=7), x)


def test_a_step_of_sampling_is_a_step_of_the_flow_and_one_of_langevin(monkeypatch: pytest.MonkeyPatch) -> None:
    """For small steps: Karras et al. 2022, equation 6, with the score (D(x) - x) / sigma² and beta = CHURN / sigma."""
    monkeypatch.setattr("pellucid.vis.prior.walk.noise_levels", lambda steps: [1.0, 0.999, 0.0])
    prior, seen = gaussian(), []
    denoise = Prior.denoise

    def listen(self: Prior, images: Tensor, sigma: float) -> Tensor:
        seen.append(images)
        return denoise(self, images, sigma)

    monkeypatch.setattr(Prior, "denoise", listen)
    walk(prior, seeded(2), steps=2)
    generators = seeded(2)
    x, fresh = 0.5 + drawn(generators), drawn(generators)
    score = denoise(prior, x, 1.0) - x
    langevin = 0.001 * CHURN * score + math.sqrt(2 * 0.001 * CHURN) * fresh
    torch.testing.assert_close(seen[1] - seen[0], 0.001 * score + langevin, atol=3e-4, rtol=1e-2)


def test_without_the_prior_it_is_gradient_ascent() -> None:
    prior, length = gaussian(), [6.4 / 5 * (1 + math.cos(math.pi * step / 4)) for step in range(5)]
    x = (0.5 + 0.05 * drawn(seeded(2))).clamp(0, 1)
    for step in range(5):
        gradient = (step + 1) * (0.7 - x)
        x = (x + length[step] * gradient / gradient.square().mean((1, 2, 3), keepdim=True).sqrt()).clamp(0, 1)
    walked = walk(prior, seeded(2), steps=5, strength=0.0, climb=lambda x, step: (step + 1) * (0.7 - x))
    torch.testing.assert_close(walked, x)


def test_between_the_two_the_objective_also_climbs_through_the_denoiser(prior: Prior) -> None:
    """One step, with the gradient of f(lerp(x, D(noisy), s)) taken by finite differences along each way."""
    wanted = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(7)).double()
    exact = Prior(copy.deepcopy(prior.network).double(), 8, prior.mean, prior.spread, {})
    noise, grey = drawn(seeded(1)).double(), exact.grey.double()
    start, noisy = (grey + prior.spread * noise).clamp(0, 1), grey + 5.0 * noise

    def moved(start: Tensor, noisy: Tensor) -> Tensor:
        return torch.lerp(start, exact.denoise(noisy, 5.0).clamp(0, 1), 0.4)

    def score(start: Tensor, noisy: Tensor) -> float:
        return -(moved(start, noisy) - wanted).square().sum().item() / 2

    ways = []
    for index in range(2):
        slopes = []
        for place in range(start.numel()):
            step = torch.zeros_like(start).flatten()
            step[place] = 1e-4
            both = [[start, noisy], [start, noisy]]
            for sign, pair in zip((1, -1), both, strict=True):
                pair[index] = pair[index] + sign * step.view_as(start)
            slopes.append(score(*both[0]) - score(*both[1]))
        way = torch.tensor(slopes, dtype=torch.float64).view_as(start)
        ways.append(way / way.square().mean().sqrt())
    way = 0.6 * ways[0] + 0.4 * ways[1]
    found = (moved(start, noisy) + 0.6 * 6.4 * 2 * way / way.square().mean().sqrt()).clamp(0, 1)
    walked = walk(prior, seeded(1), steps=1, strength=0.4, climb=lambda x, step: wanted.float() - x)
    torch.testing.assert_close(walked, found.float(), atol=0.02, rtol=0)


def test_wrong_samples_are_refused() -> None:
    for seeds, steps in (([-1], 1), ([0], 0)):
        with pytest.raises(UsageError, match="steps must be at least 1 and seeds from 0 up"):
            sample_prior(gaussian(), seeds, steps=steps)


# guiding


def test_samples_fit_the_model_and_their_settings_say_how(model: Model, prior: Prior) -> None:
    heard: list[tuple[int, int]] = []
    made = sample(
        model, ["class:bee", "0:3"], prior, steps=4, seeds=[1, 2], progress=lambda done, total: heard.append((done, total))
    )
    assert [each.objective for each in made] == ["logit(1)", "channel('0', 3)"]
    for each, seed in zip(made, (1, 2), strict=True):
        assert each.image.shape == (3, 24, 24) and each.image.min() >= 0 and each.image.max() <= 1
        assert len(each.history) == 4 and not each.silent
        assert each.settings["seed"] == seed and each.settings["strength"] == 0.8 and each.settings["steps"] == 4
        assert prior.fingerprint[:8] in each.settings["prior"]
    assert heard[-1] == (8, 8)


def test_scores_are_those_of_the_finished_pictures(model: Model, prior: Prior) -> None:
    (made,) = sample(model, ["class:cat"], prior, steps=3)
    with torch.no_grad():
        logits = model.network(model.preprocess(made.image[None]))
    assert made.score == pytest.approx(logits[0, 2].item(), abs=1e-5)


def test_the_same_seed_gives_the_same_picture_whatever_its_mates(model: Model, prior: Prior) -> None:
    both = sample(model, ["class:cat", "class:dog"], prior, steps=4, seeds=[3, 4])
    (alone,) = sample(model, ["class:dog"], prior, steps=4, seeds=4)
    torch.testing.assert_close(both[1].image, alone.image, atol=1e-3, rtol=0)
    (other,) = sample(model, ["class:dog"], prior, steps=4, seeds=5)
    assert (other.image - alone.image).abs().mean() > 0.01


def test_full_strength_ignores_the_objective_and_none_ignores_the_prior(model: Model, prior: Prior) -> None:
    def picture(objective: str, prior: Prior, strength: float) -> Tensor:
        return sample(model, [objective], prior, strength=strength, steps=4)[0].image

    other = Prior(Denoiser(3).requires_grad_(False), 8, prior.mean, prior.spread, {})
    assert torch.equal(picture("class:cat", prior, 1.0), picture("class:dog", prior, 1.0))
    assert torch.equal(picture("class:cat", prior, 0.0), picture("class:cat", other, 0.0))
    assert not torch.equal(picture("class:cat", prior, 0.5), picture("class:dog", prior, 0.5))
    assert not torch.equal(picture("class:cat", prior, 0.5), picture("class:cat", other, 0.5))


def test_the_weaker_the_prior_the_higher_the_score(model: Model, prior: Prior) -> None:
    scores = [sample(model, ["class:cat"], prior, strength=strength, steps=16)[0].score for strength in (1.0, 0.8, 0.0)]
    assert scores == sorted(scores) and scores[0] < scores[-1]


def test_groups_of_pictures_and_changing_objectives_work(model: Model, prior: Prior) -> None:
    group = channel("0", 1) + ramp(0, 1) * diversity("0", pictures=2)
    made = sample(model, [group, "0:2"], prior, steps=3)
    assert [each.objective for each in made] == [group.name, group.name, "channel('0', 2)"]
    assert not torch.equal(made[0].image, made[1].image)


def test_a_unit_that_never_answers_is_told(prior: Prior) -> None:
    dead = nn.Sequential(nn.Conv2d(3, 1, 1), nn.ReLU())
    nn.init.constant_(dead[0].weight, 0.0)
    nn.init.constant_(dead[0].bias, -1.0)
    (made,) = sample(load(dead, size=16), ["1:0"], prior, steps=2)
    assert made.silent and torch.isfinite(made.image).all()


def test_the_model_is_left_as_it_was(model: Model, prior: Prior) -> None:
    before = copy.deepcopy(model.network.state_dict())
    model.network.train()

    def broken(seen: object) -> Tensor:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        sample(model, [Objective("broken", frozenset({"0"}), broken)], prior, steps=1)
    assert model.network.training and all(weight.requires_grad for weight in model.network.parameters())
    assert not any(module._forward_hooks for module in model.network.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    model.network.eval()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"strength": 1.2}, "strength must be from 0"),
        ({"strength": math.nan}, "strength must be from 0"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"seeds": [1, 2]}, "seeds must be one number"),
        ({"seeds": -1}, "seeds must be one number"),
        ({"prior": untrained(channels=1)}, "knows pictures of 1 channels"),
    ],
)
def test_wrong_sampling_is_refused(model: Model, prior: Prior, change: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        sample(**({"model": model, "objectives": ["class:cat"], "prior": prior, "steps": 1} | change))


def test_unknown_classes_are_refused(model: Model, prior: Prior) -> None:
    with pytest.raises(NotFoundError, match="cow"):
        sample(model, ["class:cow"], prior)


# as an objective


def test_naturalness_leads_to_the_denoised_picture(prior: Prior) -> None:
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    scores = naturalness(prior, start=0.5, stop=0.1)({IMAGE: images})
    (gradient,) = torch.autograd.grad(scores.sum(), images)
    noise = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(2**31))
    gap = prior.denoise(images.detach() + 0.1 * noise, 0.1) - images.detach()
    torch.testing.assert_close(scores.detach(), -gap.square().mean((1, 2, 3)) / 2)
    torch.testing.assert_close(gradient, gap / gap[0].numel())


def test_naturalness_changes_its_noise_from_step_to_step(prior: Prior) -> None:
    objective, images = naturalness(prior, start=0.4, stop=0.1), torch.rand(1, 3, 8, 8)

    def score(progress: float) -> float:
        return objective.at(progress)({IMAGE: images}).item()

    halfway = torch.Generator().manual_seed(2**30)
    gap = prior.denoise(images + 0.2 * torch.randn(1, 3, 8, 8, generator=halfway), 0.2) - images
    assert score(0.5) == pytest.approx(-gap.square().mean().item() / 2)
    assert len({score(progress) for progress in (0.0, 0.001, 0.5, 1.0)}) == 4
    assert score(1.0) == objective({IMAGE: images}).item()


def test_naturalness_reads_the_colours_of_pictures_of_any_size(prior: Prior) -> None:
    images = plain_colours(2, 3)
    transparent = torch.cat([images, torch.zeros(2, 1, 8, 8)], 1)
    objective = naturalness(prior)
    torch.testing.assert_close(objective({IMAGE: transparent}), objective({IMAGE: images}))
    large = F.interpolate(images, (40, 48))
    torch.testing.assert_close(objective({IMAGE: large}), objective({IMAGE: images}), atol=1e-4, rtol=1e-3)
    with pytest.raises(UsageError, match="3 channels"):
        objective({IMAGE: torch.rand(1, 1, 8, 8)})


def test_naturalness_says_what_it_is(prior: Prior) -> None:
    assert repr(naturalness(prior)) == f"naturalness({prior!r}, start=0.5, stop=0.05)"
    with pytest.raises(UsageError, match="noise above 0"):
        naturalness(prior, stop=0.0)
