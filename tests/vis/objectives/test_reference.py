"""Objectives against given activations, by slow loops."""

from __future__ import annotations

import math

import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis.objectives import caricature, each, gram, matching, style

MAPS = torch.randn(3, 4, 2, 5, generator=torch.Generator().manual_seed(0))
TARGETS = torch.randn(3, 4, 2, 5, generator=torch.Generator().manual_seed(1))


def slow_gram(maps: torch.Tensor) -> list[float]:
    _, rows, cols = maps.shape
    a = maps.double().tolist()
    return [
        sum(a[i][r][c] * a[j][r][c] for r in range(rows) for c in range(cols)) / (rows * cols)
        for i in range(len(a))
        for j in range(len(a))
    ]


def test_matching_by_hand() -> None:
    target = TARGETS[0]
    expected = []
    for maps in MAPS:
        gaps = [(a - b) ** 2 for a, b in zip(maps.flatten().tolist(), target.flatten().tolist(), strict=True)]
        expected.append(-sum(gaps) / sum(b * b for b in target.flatten().tolist()))
    torch.testing.assert_close(matching("a", target)({"a": MAPS}), torch.tensor(expected))
    assert matching("a", target)({"a": target[None]}).item() == 0
    assert matching("a", target)({"a": torch.zeros(1, 4, 2, 5)}).item() == pytest.approx(-1)


def test_matching_a_target_for_each_picture() -> None:
    together = matching("a", TARGETS)
    assert together.pictures == 3 and matching("a", TARGETS[:1]).pictures == 1 and matching("a", TARGETS[0]).pictures is None
    torch.testing.assert_close(together({"a": MAPS}), each([matching("a", target) for target in TARGETS])({"a": MAPS}))


def test_style_by_hand() -> None:
    target = TARGETS[0]
    wanted, expected = slow_gram(target), []
    for maps in MAPS:
        gaps = [(a - b) ** 2 for a, b in zip(slow_gram(maps), wanted, strict=True)]
        expected.append(-sum(gaps) / sum(b * b for b in wanted))
    torch.testing.assert_close(style("a", target)({"a": MAPS}), torch.tensor(expected))
    torch.testing.assert_close(gram(MAPS).flatten(1), torch.tensor([slow_gram(maps) for maps in MAPS]))


def test_style_does_not_know_where_nor_how_large() -> None:
    target = TARGETS[0]
    elsewhere = target.flatten(1)[:, torch.randperm(10, generator=torch.Generator().manual_seed(0))].view(1, 4, 5, 2)
    larger = target.repeat(1, 3, 2)[None]
    for maps in (target[None], elsewhere, larger):
        assert style("a", target)({"a": maps}).item() == pytest.approx(0, abs=1e-6)
    assert style("a", target)({"a": torch.zeros(1, 4, 3, 3)}).item() == pytest.approx(-1)
    assert style("a", target)({"a": 2 * target[None]}).item() == pytest.approx(-9)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_caricature_by_hand(power: float) -> None:
    target, expected = TARGETS[0].clone(), []
    target[:, 1, 2] = 0  # a position that asks for nothing
    for maps in MAPS:
        score = 0.0
        for row in range(2):
            for col in range(5):
                a, t = maps[:, row, col].tolist(), target[:, row, col].tolist()
                dot = sum(x * y for x, y in zip(a, t, strict=True))
                cosine = dot / ((math.hypot(*a) + 1e-4) * math.hypot(*t)) if any(t) else 0.0
                score += dot * max(0.1, cosine) ** power
        expected.append(score / sum(t * t for t in target.flatten().tolist()))
    torch.testing.assert_close(caricature("a", target, cosine_power=power)({"a": MAPS}), torch.tensor(expected))
    assert caricature("a", target, cosine_power=power)({"a": 3 * target[None]}).item() == pytest.approx(3, rel=1e-3)


def test_written_with_a_digest() -> None:
    assert caricature("a", TARGETS[0], cosine_power=0.5).name.startswith("caricature('a', <4×2×5 numbers ")
    assert caricature("a", TARGETS[0], cosine_power=0.5).name.endswith(">, cosine_power=0.5)")
    assert matching("a", TARGETS[0]).name != matching("a", TARGETS[1]).name
    assert style("a", TARGETS[0]).name.startswith("style('a', <4×2×5 ")


def test_what_stays_in_place_says_so() -> None:
    assert matching("a", TARGETS[0]).placed and caricature("a", TARGETS[0]).placed and not style("a", TARGETS[0]).placed


def test_targets_take_no_gradient() -> None:
    target = TARGETS[0].clone().requires_grad_()
    for objective in (matching("a", target), style("a", target), caricature("a", target, cosine_power=1)):
        maps = MAPS.clone().requires_grad_()
        objective({"a": maps}).sum().backward()
        assert target.grad is None and maps.grad is not None and maps.grad.isfinite().all()


@pytest.mark.parametrize("make", [matching, style, caricature])
@pytest.mark.parametrize(
    "target",
    [torch.zeros(4, 2, 5), torch.full((4, 2, 5), torch.nan), torch.ones(4, 2), torch.ones(3, 2, 5), torch.ones(1, 1, 4, 2, 5)],
    ids=lambda target: str(tuple(target.shape)),
)
def test_wrong_targets(make, target: torch.Tensor) -> None:
    with pytest.raises(UsageError) as error:
        make("a", target)({"a": MAPS})
    assert "\n" not in str(error.value) and "'a'" in str(error.value)


@pytest.mark.parametrize("make", [matching, caricature])
def test_targets_of_another_size(make) -> None:
    with pytest.raises(UsageError, match=r"^layer 'a' has 4×2×5 .* the target 4×3×5; make"):
        make("a", torch.ones(4, 3, 5))({"a": MAPS})


@pytest.mark.parametrize("make", [style, caricature])
def test_targets_are_of_one_picture(make) -> None:
    with pytest.raises(UsageError, match="the shape 3×4×2×5; give channels, rows, columns of one picture"):
        make("a", TARGETS)
