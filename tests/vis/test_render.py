"""Rendering, end to end on small networks whose right answers are known."""

from __future__ import annotations

import copy
import errno
import itertools
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from pellucid import terrarium
from pellucid.arrays import to_image
from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models import load
from pellucid.models.capture import capture
from pellucid.models.model import Model
from pellucid.terrarium.network import load_judge
from pellucid.vis import (
    Diverged,
    Method,
    Objective,
    Rendering,
    channel,
    direction,
    fourier,
    logit,
    natural_size,
    neuron,
    parse_unit,
    pixel,
    render,
    robust,
    warp,
)
from pellucid.vis.objectives import IMAGE, opacity
from pellucid.vis.optimise import optimise
from pellucid.vis.packing import natural_batch
from pellucid.vis.params import transparent

QUICK = {"steps": 6, "size": 24, "autocast": False}


def small(*, channels: int = 3) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(channels, 6, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
        )


@pytest.fixture(scope="module")
def model() -> Model:
    return load(small(), size=32, classes=["ant", "bee", "cat", "dog", "eel"])


@pytest.mark.parametrize(
    "unit", ["0:2", "3:1", "3:1@4,5", "class:cat", direction("3", torch.ones(8), cosine_power=2, position="centre")]
)
def test_scores_rise(model: Model, unit: str | Objective) -> None:
    mild = warp(jitter=1, rotate=2, scale=(0.95, 1.05), crop=(32, 32))
    (rendering,) = render(model, [unit], steps=40, method=Method(transforms=[mild]), autocast=False)
    assert len(rendering.history) == 40
    assert rendering.score > rendering.history[0]
    assert sum(rendering.history[-5:]) > sum(rendering.history[:5])
    assert rendering.image.shape == (3, 32, 32) and 0 <= rendering.image.min() < rendering.image.max() <= 1


def test_a_colour_detector_gets_its_colour() -> None:
    network = nn.Sequential(nn.Conv2d(3, 1, 1))
    network[0].weight.data[:] = torch.tensor([1.0, -1, -1])[None, :, None, None]
    (rendering,) = render(load(network, size=64), ["0:0"], steps=64, autocast=False)
    red, green, blue = rendering.image.mean((1, 2)).tolist()
    assert red > green + 0.1 and red > blue + 0.1


def test_the_score_is_that_of_the_untransformed_picture(model: Model) -> None:
    for unit in ("3:1", "class:bee"):
        (rendering,) = render(model, [unit], **QUICK)
        with torch.no_grad():
            seen = model.network[:4](model.preprocess(rendering.image[None]))
            out = model.network(model.preprocess(rendering.image[None]))
        expected = seen[0, 1].mean() if unit == "3:1" else out[0, 1]
        assert rendering.score == pytest.approx(expected.item(), rel=1e-5)


def test_same_seed_same_bits(model: Model) -> None:
    first, again, other = (render(model, ["3:1", "class:ant"], seeds=seed, **QUICK) for seed in (4, 4, 5))
    for one, two, three in zip(first, again, other, strict=True):
        assert torch.equal(one.image, two.image) and one.history == two.history and one.settings == two.settings
        assert not torch.equal(one.image, three.image)


def test_batch_mates_do_not_matter(model: Model) -> None:
    units = ["3:0", "0:1", "class:ant", "3:5", neuron("3", 2)]
    together = render(model, units, seeds=[1, 2, 3, 4, 5], batch=5, **QUICK)
    pairs = render(model, units, seeds=[1, 2, 3, 4, 5], batch=2, **QUICK)
    alone = [render(model, [unit], seeds=seed, **QUICK)[0] for seed, unit in enumerate(units, 1)]
    for one, two, three in zip(together, pairs, alone, strict=True):
        torch.testing.assert_close(one.image, two.image, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(one.image, three.image, atol=1e-4, rtol=1e-4)
        assert one.settings == two.settings == three.settings


def test_the_pass_ends_at_the_last_layer_needed(model: Model) -> None:
    runs = []
    with_hook = copy.deepcopy(model.network)
    watched = load(with_hook, size=32)
    watched.layers  # noqa: B018  the dry run would count
    with_hook[3].register_forward_hook(lambda *_: runs.append("3"))
    render(watched, ["0:1", "0:2"], **QUICK)
    assert not runs
    render(watched, ["0:1", "3:2"], batch=1, **QUICK)
    assert len(runs) >= QUICK["steps"]


def test_a_silent_unit_moves() -> None:
    network = small()
    network[0].bias.data[:] = -3.0  # no picture of grey noise gets through the first ReLU
    silent = load(network, size=24)
    (rendering,) = render(silent, ["4:0"], steps=2)
    (start,) = render(silent, ["4:0"], steps=1)
    assert not torch.equal(rendering.image, start.image)


def _state(network: nn.Module) -> tuple:
    tensors = {name: value.clone() for name, value in network.state_dict().items()}
    flags = [(module.training, len(module._forward_hooks)) for module in network.modules()]
    return tensors, flags, [parameter.requires_grad for parameter in network.parameters()], [p.grad for p in network.parameters()]


@pytest.mark.parametrize("failure", [None, RuntimeError, KeyboardInterrupt])
def test_the_network_is_left_as_it_was(failure: type[BaseException] | None) -> None:
    network = small().train()
    network[3].weight.requires_grad_(False)
    subject, before, calls = load(network, size=32), _state(network), itertools.count()

    def score(seen: dict[str, torch.Tensor]) -> torch.Tensor:
        if failure is not None and next(calls) == 3:
            raise failure
        return seen["3"].mean((1, 2, 3))

    objective = Objective("mine", frozenset({"3"}), score)
    if failure is None:
        render(subject, [objective], **QUICK)
    else:
        with pytest.raises(failure):
            render(subject, [objective], **QUICK)
    after = _state(network)
    assert after[1:] == before[1:]
    assert all(torch.equal(after[0][name], value) for name, value in before[0].items())


def test_no_number_names_unit_and_step_and_keeps_the_last_good_picture(model: Model) -> None:
    steps = itertools.count()
    broken = Objective(
        "broken", frozenset({"3"}), lambda seen: seen["3"].mean((1, 2, 3)) * (float("nan") if next(steps) == 3 else 1)
    )
    with pytest.raises(Diverged, match=r"broken at step 3 is nan") as caught:
        render(model, ["0:1", "3:0", broken], batch=1, **QUICK)
    steps = itertools.count(10)
    expected = render(model, ["0:1", "3:0", broken], snapshots=[2], batch=1, **QUICK)
    assert [each is None for each in caught.value.finished] == [False, False, True] and caught.value.index == 2
    assert torch.equal(caught.value.finished[1].image, expected[1].image)
    torch.testing.assert_close(caught.value.picture, expected[2].snapshots[2], rtol=0, atol=2**-11)


def test_an_overflow_names_its_unit() -> None:
    network = small()
    network[3].weight.data[1] = 3e38
    with pytest.raises(Diverged, match=r"channel\('3', 1\) at step 0") as caught:
        render(load(network, size=32), ["3:0", "3:1"], **QUICK)
    assert caught.value.picture is None


def test_snapshots_are_the_pictures_of_fewer_steps(model: Model) -> None:
    method = Method(learning_rate=(0.05, 0.05))
    (whole,) = render(model, ["3:1"], method=method, snapshots=[0, 4, 6], **QUICK)
    (part,) = render(model, ["3:1"], method=method, **(QUICK | {"steps": 4}))
    assert sorted(whole.snapshots) == [0, 4, 6]
    assert torch.equal(whole.snapshots[4], part.image) and torch.equal(whole.snapshots[6], whole.image)
    assert not torch.equal(whole.snapshots[0], whole.snapshots[4])


def apart(size: int) -> Objective:
    """Pictures of a group that do not want to be alike."""

    def score(seen: dict[str, torch.Tensor]) -> torch.Tensor:
        maps = seen["3"].mean((2, 3))
        assert len(maps) == size
        return maps[:, 1] - (maps - maps.mean(0)).norm(dim=1)

    return Objective(f"apart({size})", frozenset({"3"}), score, pictures=size)


def test_an_objective_about_several_pictures(model: Model) -> None:
    units = ["3:0", apart(3), "3:1", apart(2)]
    made = render(model, units, batch=4, **QUICK)
    assert [each.objective for each in made] == ["channel('3', 0)", *["apart(3)"] * 3, "channel('3', 1)", *["apart(2)"] * 2]
    assert not torch.equal(made[1].image, made[2].image)  # each has noise of its own
    for index, unit in ((0, units[0]), (4, units[2])):
        torch.testing.assert_close(made[index].image, render(model, [unit], **QUICK)[0].image, atol=1e-4, rtol=1e-4)
    alone = render(model, [apart(3)], **QUICK)
    for one, two in zip(made[1:4], alone, strict=True):
        torch.testing.assert_close(one.image, two.image, atol=1e-4, rtol=1e-4)


def test_the_best_of_tries_is_a_whole_group(model: Model) -> None:
    best = render(model, [apart(3)], tries=3, **QUICK)
    each = [render(model, [apart(3)], seeds=0, tries=tries, **QUICK) for tries in (1, 2, 3)]
    assert len({picture.settings["attempt"] for picture in best}) == 1
    totals = [sum(picture.score for picture in group) for group in each]
    assert totals == sorted(totals) and sum(picture.score for picture in best) == totals[-1]


@pytest.mark.parametrize("parameterization", [fourier(), pixel()])
@pytest.mark.parametrize("shape", [(24, 24), (20, 31)])
def test_a_picture_to_start_from(model: Model, parameterization, shape: tuple[int, int]) -> None:
    smooth = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    photo = nn.functional.interpolate(smooth[None], shape, mode="bilinear")[0]
    method = Method(parameterization=parameterization)
    (made, noise) = render(model, ["3:1"] * 2, start=[photo, None], steps=3, snapshots=[0], method=method, autocast=False)
    assert made.image.shape == photo.shape and noise.image.shape[1:] == (32, 32)
    torch.testing.assert_close(made.snapshots[0], photo, atol=1 / 255, rtol=0)
    assert not torch.equal(made.image, made.snapshots[0])
    (larger,) = render(model, ["3:1"], start=photo, size=40, steps=1, method=method)
    assert larger.image.shape == (3, 40, 40)


def test_views_average_their_gradients(model: Model) -> None:
    draws = []

    def shifted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        draws.append(float(torch.rand(1, generator=generator)))
        return images.roll(round(4 * draws[-1]), 3)

    for views in (1, 3):
        draws.clear()
        render(model, ["3:1"], method=Method(transforms=[shifted], views=views), **QUICK)
        assert len(draws) == 6 * views and len(set(draws)) == len(draws)
    still = [render(model, ["3:1"], method=Method(transforms=[], views=views), **QUICK)[0].image for views in (1, 3)]
    torch.testing.assert_close(*still, atol=1e-3, rtol=1e-3)


def test_filters_and_penalty(model: Model) -> None:
    def grey(images: torch.Tensor, progress: float) -> torch.Tensor:
        seen.append(progress)
        return images.mean((2, 3), keepdim=True).expand_as(images)

    seen: list[float] = []
    flat = Method(parameterization=pixel(), picture_filter=grey)
    (made,) = render(model, ["3:1"], method=flat, **QUICK)
    assert made.image.std((1, 2)).max() < 1e-4 and seen == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    (still,) = render(
        model, ["3:1"], method=Method(gradient_filter=lambda gradient, progress: gradient * 0), snapshots=[0], **QUICK
    )
    assert torch.equal(still.image, still.snapshots[0])
    dark = Objective("dark", frozenset({IMAGE}), lambda pictures: -100 * pictures[IMAGE].mean((1, 2, 3)))
    (plain,), (night,) = (
        render(model, ["3:1"], method=Method(penalty=penalty), **(QUICK | {"steps": 24})) for penalty in (None, dark)
    )
    assert night.image.mean() < plain.image.mean() - 0.02
    assert night.settings["penalty"] == "dark" and night.objective == "channel('3', 1)"
    assert night.score == pytest.approx(render(model, ["3:1"], start=night.image, steps=1, snapshots=[0])[0].history[0], abs=0.5)


def test_weight_noise_changes_the_picture_and_not_the_weights(model: Model) -> None:
    plain, noisy, again = (render(model, ["3:1"], method=Method(weight_noise=noise), **QUICK)[0].image for noise in (0.0, 0.2, 0.2))
    assert torch.equal(noisy, again) and not torch.equal(plain, noisy)


def test_dead_units_are_said(model: Model) -> None:
    network = small()
    network[3].weight.data[2], network[3].bias.data[2] = 0, -1
    dead = load(network, size=32)
    silent, alive = render(dead, ["4:2", "4:3"], **QUICK)
    assert silent.silent and not alive.silent


def test_memory_that_runs_out_halves_the_batch(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def scarce(model: Model, jobs, plan, tick):
        sizes.append(len(jobs))
        if len(jobs) > 2:
            tick(1)
            raise torch.OutOfMemoryError("out of memory")
        return optimise(model, jobs, plan, tick)

    units, ticks = [f"3:{index}" for index in range(7)], []
    expected = render(model, units, **QUICK)
    monkeypatch.setattr(import_module("pellucid.vis.render"), "optimise", scarce)
    made = render(model, units, progress=lambda done, total: ticks.append((done, total)), **QUICK)
    assert sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1] or sizes == [7, 3, 1] + [1] * 6
    assert ticks[-1] == (42, 42)
    for one, two in zip(made, expected, strict=True):
        torch.testing.assert_close(one.image, two.image, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "error", [RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), MemoryError()]
)
def test_memory_for_not_even_one_picture(error: Exception, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> list:
        raise error

    monkeypatch.setattr(import_module("pellucid.vis.render"), "optimise", none)
    with pytest.raises(PellucidError, match=r"channel\('3', 0\) at 24 × 24 px does not fit into memory"):
        render(model, ["3:0", "3:1"], **QUICK)


def test_batches_hold_what_shares_its_last_layer(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(model: Model, jobs, plan, tick):
        seen.append([sorted(job.objective.layers) for job in jobs])
        return optimise(model, jobs, plan, tick)

    monkeypatch.setattr(import_module("pellucid.vis.render"), "optimise", watched)
    made = render(model, ["3:0", "0:0", "class:ant", "0:1", "3:1"], **QUICK)
    assert seen == [[["0"], ["0"]], [["3"], ["3"]], [["logits"]]]
    assert [each.objective for each in made][:3] == ["channel('3', 0)", "channel('0', 0)", "logit(0)"]


def test_a_size_that_the_network_refuses() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 9), nn.Flatten(), nn.Linear(4 * 24 * 24, 2))
    with pytest.raises(UsageError, match=r"size: .* refuses 40 × 40 px \(mat1 and mat2.*; its own is 32 × 32"):
        render(load(network, size=32), ["class:0"], size=40, steps=1)
    with pytest.raises(UsageError, match="refuses 5 × 5 px"):
        render(load(network, size=32), ["0:0"], size=5, steps=1)


class Strict(nn.Module):
    """Takes pictures of 96 px only, as vision transformers do, and says so before its first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.head = nn.Conv2d(3, 4, 8, stride=8), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[2:] == (96, 96), "Input size does not match model (96)"
        return self.head(self.patches(x).mean((2, 3)))


def test_the_natural_size_is_one_that_the_network_takes() -> None:
    model = load(Strict(), size=96)
    assert natural_size(model, channel("patches", 0)) == (96, 96)
    assert render(model, ["patches:0"], steps=1)[0].image.shape == (3, 96, 96)


def test_best_of_tries(model: Model) -> None:
    units = [f"3:{index}" for index in range(8)]
    single = render(model, units, seeds=range(8), **QUICK)
    best = render(model, units, seeds=range(8), tries=4, batch=3, **QUICK)
    for one, many in zip(single, best, strict=True):
        assert many.objective == one.objective
        assert many.score >= one.score - 1e-5
        assert 0 <= many.settings["attempt"] < 4
    assert any(many.settings["attempt"] > 0 for many in best)


def test_progress_counts_every_step_of_every_picture(model: Model) -> None:
    seen: list[tuple[int, int]] = []
    render(model, ["3:1", "3:2", "0:1"], batch=2, progress=lambda done, total: seen.append((done, total)), **QUICK)
    assert seen[-1] == (18, 18) and [done for done, _ in seen] == sorted({done for done, _ in seen})


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(17, 30), (33, 24), 21])
@pytest.mark.parametrize("parameterization", [fourier(), pixel()])
def test_any_size_and_channels(channels: int, size: int | tuple[int, int], parameterization) -> None:
    subject = load(small(channels=channels), size=32, channels=channels)
    (rendering,) = render(
        subject, [channel("3", 0)], size=size, steps=2, method=Method(parameterization=parameterization), autocast=False
    )
    assert rendering.image.shape == (channels, *((size, size) if isinstance(size, int) else size))


def test_own_transforms_see_the_canvas_and_the_network_its_middle(model: Model) -> None:
    shapes = []

    def look(images: torch.Tensor, generator) -> torch.Tensor:
        shapes.append(tuple(images.shape))
        return images

    (rendering,) = render(model, ["3:1"], method=Method(transforms=[look]), size=56, steps=2)
    assert shapes == [(1, 3, 64, 64)] * 2 and rendering.image.shape == (3, 56, 56)
    assert rendering.settings["transforms"] == ["test_own_transforms_see_the_canvas_and_the_network_its_middle.<locals>.look"]
    (plain,) = render(model, ["3:1"], method=Method(transforms=[]), size=56, steps=2)
    assert plain.settings["transforms"] == [] and torch.equal(plain.image, rendering.image)


def test_natural_sizes() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 7), nn.Conv2d(4, 4, 43), nn.Conv2d(4, 4, 80), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    subject = load(network, size=(140, 180))
    assert natural_size(subject, channel("0", 0)) == (64, 64)
    assert natural_size(subject, channel("1", 0)) == (112, 112)  # a field of 49
    assert natural_size(subject, channel("0", 0) + channel("1", 0)) == (112, 112)
    assert natural_size(subject, channel("2", 0)) == (140, 180)
    assert natural_size(subject, neuron("0", 0, row=1, col=1)) == natural_size(subject, logit(0)) == (140, 180)
    assert natural_size(subject, channel("0", 0) + logit(0)) == (140, 180)
    assert robust((96, 128)) == warp(jitter=10, crop=(96, 128))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"objectives": ["9:0"]}, NotFoundError),
        ({"objectives": [channel("9", 0)]}, NotFoundError),
        ({"objectives": [channel("3", 8)]}, UsageError),
        ({"objectives": ["class:ants"]}, NotFoundError),
        ({"steps": 0}, UsageError),
        ({"batch": 0}, UsageError),
        ({"tries": 0}, UsageError),
        ({"size": 0}, UsageError),
        ({"start": torch.rand(1, 8, 8)}, UsageError),
        ({"start": [torch.rand(3, 8, 8)] * 2}, UsageError),
        ({"seeds": [1, 2]}, UsageError),
        ({"seeds": -1}, UsageError),
    ],
)
def test_wrong_use(model: Model, wrong: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        render(model, **({"objectives": ["3:0"]} | QUICK | wrong))


def test_nothing_asked_nothing_made(model: Model) -> None:
    assert render(model, []) == []


@pytest.fixture
def rendering() -> Rendering:
    return Rendering(torch.rand(3, 8, 9), "channel('é', 1)", 1.25, (0.5, 1.0), {"seed": 3, "objective": "channel('é', 1)"})


def test_the_file_holds_picture_and_settings(model: Model, tmp_path: Path) -> None:
    (made,) = render(model, ["3:1"], seeds=7, **QUICK)
    made.save(tmp_path / "one.png")
    made.save(tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as picture:
        notes = json.loads(picture.text["pellucid"])
        assert picture.size == (24, 24)
    assert notes["seed"] == 7 and notes["steps"] == 6 and notes["score"] == made.score
    assert notes["objective"] == made.objective == "channel('3', 1)"
    assert notes["transforms"] == ["warp(jitter=3, rotate=20.0, scale=(0.7, 1.3), perspective=0.0, crop=(24, 24))"]
    assert notes["parameterization"] == "fourier(sd=0.01, decay=1.5, colours='natural')"
    assert notes["fingerprint"] == model.fingerprint()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]


def test_any_alphabet(rendering: Rendering, tmp_path: Path) -> None:
    rendering.save(tmp_path / "é.png")
    with Image.open(tmp_path / "é.png") as picture:
        assert json.loads(picture.text["pellucid"])["objective"] == "channel('é', 1)"


def test_a_full_disk_leaves_nothing(rendering: Rendering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Image.Image, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(PellucidError, match="no space left"):
        rendering.save(tmp_path / "one.png")
    assert not list(tmp_path.iterdir())


trained = pytest.mark.skipif(
    not Path(terrarium.__file__).with_name("weights.safetensors").exists(), reason="the terrarium's network is not trained yet"
)


@trained
def test_pictures_excite_their_units_more_than_the_terrarium_does() -> None:
    model = load("terrarium")
    scenes = torch.stack([to_image(terrarium.draw(index, seed=9, masks=False).picture) for index in range(36)])
    units = ["mixed3a:0", "mixed3a:1", "mixed4a:0", "mixed4a:2", "class:starfish", "class:house"]
    for unit, rendering in zip(units, render(model, units), strict=True):
        objective = parse_unit(unit, model)
        with torch.no_grad():
            best = objective(capture(model, scenes, sorted(objective.layers))).max().item()
        assert rendering.score > max(best, rendering.history[0]), unit


@trained
def test_another_network_recognises_the_pictures() -> None:
    model, judge = load("terrarium"), load_judge()
    made = render(model, [logit(index) for index in range(len(model.classes))], steps=48)
    with torch.no_grad():
        said = judge(model.preprocess(torch.stack([rendering.image for rendering in made]))).argmax(1).tolist()
    assert sum(index == answer for index, answer in enumerate(said)) >= len(model.classes) - 2


def test_opacity(model: Model) -> None:
    method = Method(parameterization=transparent(), penalty=-10 * opacity())
    clear, dense = (render(model, ["3:1"], method=each, **QUICK)[0] for each in (method, Method(parameterization=transparent())))
    assert clear.image.shape == (4, 24, 24)
    assert clear.image[3].mean() < dense.image[3].mean() - 0.02
    with torch.no_grad():
        on_grey = clear.image[:3] * clear.image[3] + 0.5 * (1 - clear.image[3])
        expected = model.network[:4](model.preprocess(on_grey[None]))[0, 1].mean()
    assert clear.score == pytest.approx(expected.item(), rel=1e-4)
    photo = torch.full((3, 24, 24), 0.25)
    (begun,) = render(model, ["3:1"], start=photo, snapshots=[0], method=Method(parameterization=transparent()), **QUICK)
    torch.testing.assert_close(begun.snapshots[0], torch.cat([photo, torch.ones(1, 24, 24)]), atol=1 / 255, rtol=0)


def test_batches_suit_size_and_memory(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    packing = import_module("pellucid.vis.packing")
    assert [natural_batch(model, (side, side), 3) for side in (24, 96, 224, 1024)] == [32, 32, 8, 8]
    first = sum(6 * 32 * 32 for _ in range(2))  # numbers that the first two layers answer at the model's own size
    monkeypatch.setattr(packing, "_memory", lambda device: 2 * 3 * 4 * first * 5.5)
    assert natural_batch(model, (32, 32), 2) == 5
    assert natural_batch(model, (64, 64), 2) == 1


def test_a_first_render_loads_no_compiler() -> None:
    code = (
        "import sys; from torch import nn; import pellucid; model = pellucid.load(nn.Conv2d(3, 4, 3), size=8);"
        "pellucid.render(model, [pellucid.channel('logits', 0)], steps=1); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_a_render_loads_no_sympy() -> None:
    """Which torch loads where it is given gradients to start from, or asked for shapes: half a second before the first step."""
    program = """
import sys, pellucid
pellucid.render(pellucid.load("terrarium"), ["class:fish"], steps=2)
assert "sympy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
