"""Peaks of strides in gradients and pictures, and what takes them away."""

from __future__ import annotations

import copy
from statistics import fmean

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.data.stream import open_stream
from pellucid.figures.measures import lattice_share
from pellucid.figures.sampling import FINER, PLAIN, RELAXED, checkerboards, finer, remedied, remedies
from pellucid.figures.studio import Studio, open_studio
from pellucid.models import Model, capture, load
from pellucid.vis import channel

LAYERS = ["conv1", "mixed3b", "mixed4b"]
UNITS = range(6, 192, 48)  # four channels of mixed4b
WAY = {"conv1.conv": 4, "conv1": 4, "mixed3b": 2}  # pixels from one position of mixed4b to the next


@pytest.fixture(scope="module")
def studio() -> Studio:
    model = load("terrarium")
    return open_studio(model, open_stream("terrarium:48", size=model.size), LAYERS, steps=16, seed=0, tick=lambda count: None)


@pytest.fixture(scope="module")
def pooling() -> Model:
    """The terrarium's network with maxima in place of its means."""
    model = load("terrarium")
    network = copy.deepcopy(model.network)
    for parent in network.modules():
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.AvgPool2d):
                setattr(parent, name, nn.MaxPool2d(child.kernel_size, child.stride, child.padding))
    return load(network, mean=model.mean, std=model.std, size=model.size)


def peaks(studio: Studio, model: Model) -> dict[str, list[dict[str, float]]]:
    """For each remedy and unit, the peaks at the layers on the way."""
    found: dict[str, list[dict[str, float]]] = {}
    for unit in UNITS:
        for kind, fields in remedied(model, studio.photos[:8], channel("mixed4b", unit), list(WAY)).items():
            shares = {name: float(lattice_share(fields[name], period).mean()) for name, period in WAY.items()}
            found.setdefault(kind, []).append(shares)
    return found


def test_the_peaks_go_with_the_strides(studio: Studio) -> None:
    found = peaks(studio, studio.model)
    assert list(found) == [PLAIN, FINER]  # there is no max pool
    for own, even in zip(found[PLAIN], found[FINER], strict=True):
        assert own["mixed3b"] > 2 and even["mixed3b"] < 0.6 * own["mixed3b"]
        assert even["conv1"] < own["conv1"] and even["conv1.conv"] < own["conv1.conv"]
    for name in WAY:
        assert fmean(each[name] for each in found[FINER]) < 1.3 < fmean(each[name] for each in found[PLAIN]), name


def test_relaxed_max_pools_lower_their_peak(studio: Studio, pooling: Model) -> None:
    found = peaks(studio, pooling)
    for own, relaxed, even in zip(found[PLAIN], found[RELAXED], found[FINER], strict=True):
        assert even["mixed3b"] < relaxed["mixed3b"] < own["mixed3b"]
    kept, left = (fmean(each["mixed3b"] - 1 for each in found[kind]) for kind in (PLAIN, RELAXED))
    assert left < 0.8 * kept  # of what is above no peak at all


def shifted(convolution: nn.Conv2d, images: Tensor) -> Tensor:
    """The mean of what a padded convolution with a stride of 2 answers to a picture and to its shifts by one pixel."""
    padded = F.pad(images, (1, 2, 1, 2))
    shifts = [padded[:, :, down : down + 10, right : right + 10] for down in (0, 1) for right in (0, 1)]
    plain = nn.utils.skip_init(nn.Conv2d, 3, 4, 3, stride=2)
    plain.load_state_dict(convolution.state_dict())
    return torch.stack([plain(each) for each in shifts]).mean(0)


def test_finer_is_the_mean_over_all_shifts_of_the_stride() -> None:
    convolution = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    images = torch.rand(2, 3, 8, 8)
    model = load(nn.Sequential(convolution), size=8)
    torch.testing.assert_close(capture(finer(model), images, ["0"])["0"], shifted(convolution, images))
    assert convolution.stride == (2, 2)


def test_finer_keeps_names_sizes_and_the_model() -> None:
    model = load("terrarium")
    before, even = model.fingerprint(), finer(model)
    assert model.fingerprint() == before
    for name, layer in model.layers.items():
        other = even.layer(name)
        assert (other.channels, other.height, other.width) == (layer.channels, layer.height, layer.width), name
    assert even.classes == model.classes
    assert not any(max(module.stride) > 1 for module in even.network.modules() if isinstance(module, nn.Conv2d))


def test_one_module_in_two_places_and_strides_of_patches() -> None:
    shared = nn.Conv2d(3, 3, 3, stride=2, padding=1)
    network = nn.Sequential(nn.Sequential(shared), nn.Sequential(shared), nn.Conv2d(3, 4, 8, stride=8))
    even = finer(load(network, size=64))
    first, second, patches = (even.network.get_submodule(name) for name in ("0.0", "1.0", "2"))
    assert even.layer("0").height == 32 and even.layer("1").height == 16 and patches.stride == (8, 8)
    assert isinstance(first, nn.Sequential) and first is second


def test_every_remedy_leaves_less_fine_detail(studio: Studio) -> None:
    figure = remedies(studio)
    fine = {name.removeprefix("fine, "): value for name, value in figure.numbers.items() if name.startswith("fine")}
    none = fine.pop("none")
    assert len(fine) == 5 and figure.holds and max(fine.values()) < none
    assert fine[f"finer sampling: {FINER}"] < 0.5 * none
    assert figure.numbers[f"score, finer sampling: {FINER}"] > 0.7  # by the network as it is
    assert len(figure.tables[0].rows) == 6


def test_the_figure_shows_them_side_by_side(studio: Studio, pooling: Model) -> None:
    figure = checkerboards(studio)
    (table,) = figure.tables
    assert figure.holds and [kind for kind, _ in table.rows] == [PLAIN, FINER]
    target = studio.units("mixed4b", 4)[0]
    fields = remedied(studio.model, studio.photos[:8], target, ["conv1.conv", "conv1", "mixed3b"])
    for kind, cells in table.rows:
        for name, cell in zip(table.columns, cells, strict=True):
            share = float(lattice_share(fields[kind][name], 96 // 12 if name == "picture" else WAY[name]).mean())
            assert figure.numbers[f"peaks at {name}, {kind}"] == pytest.approx(share) and cell.text == f"{share:.3g}-fold peaks"
    stream = open_stream("terrarium:48", size=pooling.size)
    other = checkerboards(open_studio(pooling, stream, LAYERS, steps=2, seed=0, tick=lambda count: None))
    assert [kind for kind, _ in other.tables[0].rows] == [PLAIN, RELAXED, FINER]
