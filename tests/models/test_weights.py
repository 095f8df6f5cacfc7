from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.models.networks import Functional, Inplace, seeded
from torch import nn

from pellucid.errors import PellucidError, UsageError
from pellucid.models import load


def same(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": {f"module.{k}": v for k, v in s.items()}}]
)
def test_files_of_torch_with_their_usual_wrappers(tmp_path: Path, wrap) -> None:
    source, target = seeded(Functional, 1), seeded(Functional, 2)
    torch.save(wrap(source.state_dict()), tmp_path / "weights.pth")
    load(target, weights=tmp_path / "weights.pth")
    assert same(source, target)


def test_safetensors(tmp_path: Path) -> None:
    source, target = seeded(Inplace, 1), seeded(Inplace, 2)
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    load(target, weights=str(tmp_path / "w.safetensors"))
    assert same(source, target)


def test_code_in_a_file_is_never_executed(tmp_path: Path) -> None:
    trap = tmp_path / "executed"

    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (trap,))

    torch.save({"conv1.weight": Evil()}, tmp_path / "evil.pt")
    torch.save(seeded(Inplace), tmp_path / "whole.pt")
    for name in ("evil.pt", "whole.pt"):
        with pytest.raises(PellucidError, match=r"would execute code; save `network.state_dict\(\)`"):
            load(seeded(Inplace), weights=tmp_path / name)
    assert not trap.exists()


def test_weights_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    state = dict(seeded(Inplace, 1).state_dict())
    del state["conv1.bias"]
    state["head.weight"] = torch.zeros(4, 12)
    state |= {f"extra.{index}": torch.zeros(1) for index in range(7)}
    save_file(state, tmp_path / "w.safetensors")
    network, untouched = seeded(Inplace, 2), seeded(Inplace, 2)
    with pytest.raises(UsageError) as error:
        load(network, weights=tmp_path / "w.safetensors")
    assert "missing conv1.bias; " in str(error.value)
    assert "unexpected extra.0, extra.1, extra.2, extra.3, extra.4 and 2 more" in str(error.value)
    assert "of another shape head.weight (4×12 for 6×12)" in str(error.value)
    assert same(network, untouched)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("w.safetensors", b"{}", "cannot be read as safetensors"),
        ("w.pt", b"", "cannot be read as tensors|no file of weights"),
        ("w.pt", b"<html>not found</html>", "no file of weights|cannot be read as tensors"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PellucidError, match=said):
        load(seeded(Inplace), weights=tmp_path / name)


def test_truncated_files(tmp_path: Path) -> None:
    torch.save(seeded(Inplace).state_dict(), tmp_path / "w.pt")
    save_file(seeded(Inplace).state_dict(), tmp_path / "w.safetensors")
    for path in list(tmp_path.iterdir()):
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(PellucidError, match="cannot be read"):
            load(seeded(Inplace), weights=path)


def test_files_that_are_not_there_or_hold_no_tensors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        load(seeded(Inplace), weights=tmp_path / "none.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(PellucidError, match="holds no tensors by name"):
        load(seeded(Inplace), weights=tmp_path / "list.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused_by_name(value: float) -> None:
    network = seeded(Inplace)
    network.conv2.weight.data[0, 0, 0, 0] = value
    with pytest.raises(PellucidError, match=r"conv2\.weight holds 1 values that are not finite"):
        load(network)


def test_masks_may_be_infinite_but_not_nan() -> None:
    network = seeded(Inplace)
    network.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    load(network)
    network.mask[0] = float("nan")
    with pytest.raises(PellucidError, match="mask holds NaN"):
        load(network)
