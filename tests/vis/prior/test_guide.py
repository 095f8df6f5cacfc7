"""Pictures between what units want and what a prior learned."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from tests.vis.prior.known import gaussian, learned
from torch import Tensor, nn

from pellucid.errors import NotFoundError, UsageError
from pellucid.models import load
from pellucid.models.model import Model
from pellucid.vis import Diverged, channel
from pellucid.vis.objectives import IMAGE, Activations, Objective, diversity, ramp
from pellucid.vis.prior import Prior, sample


@pytest.fixture(scope="module")
def prior() -> Prior:
    return learned()


@pytest.fixture(scope="module")
def model() -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    return load(network, size=24, classes=["ant", "bee", "cat", "dog"])


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

    other = gaussian(prior.spread, mean=prior.mean)
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


def test_a_score_that_is_no_number_stops_with_the_last_picture_and_what_is_done(model: Model, prior: Prior) -> None:
    calls = []

    def sick(seen: Activations) -> Tensor:
        calls.append(1)
        return seen[IMAGE].mean((1, 2, 3)) * (torch.nan if len(calls) == 3 else 1)

    objective = Objective("sick", frozenset({IMAGE}), sick)
    with pytest.raises(Diverged, match="the score of sick at step 2 is nan") as caught:
        sample(model, ["0:1", objective, "0:2"], prior, steps=4)
    kept = caught.value
    assert kept.index == 1 and kept.finished == [None] * 3
    assert kept.picture is not None and kept.picture.shape == (3, *model.size) and kept.picture.isfinite().all()


def test_what_an_earlier_batch_made_is_kept(model: Model, prior: Prior, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.vis.prior.guide.natural_batch", lambda *arguments: 1)
    sick = Objective("sick", frozenset({IMAGE}), lambda seen: seen[IMAGE].mean((1, 2, 3)) * torch.nan)
    with pytest.raises(Diverged) as caught:
        sample(model, ["0:1", sick, "0:2"], prior, steps=2)
    first, *rest = caught.value.finished
    assert first is not None and rest == [None, None] and (caught.value.index, caught.value.picture) == (1, None)


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
        ({"prior": gaussian(mean=(0.5,))}, "knows pictures of 1 channels"),
    ],
)
def test_wrong_sampling_is_refused(model: Model, prior: Prior, change: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        sample(**({"model": model, "objectives": ["class:cat"], "prior": prior, "steps": 1} | change))


def test_unknown_classes_are_refused(model: Model, prior: Prior) -> None:
    with pytest.raises(NotFoundError, match="cow"):
        sample(model, ["class:cow"], prior)
