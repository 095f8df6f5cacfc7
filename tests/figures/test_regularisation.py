"""The spectrum of regularisation, with and without a prior."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pellucid.arrays import to_image, to_picture
from pellucid.data.stream import open_stream
from pellucid.errors import UsageError
from pellucid.figures.make import make_figures
from pellucid.figures.page import Figure
from pellucid.figures.regularisation import MISSING, Column, spectrum
from pellucid.figures.studio import Studio, open_studio
from pellucid.models import load
from pellucid.vis import channel
from pellucid.vis.prior import Prior, load_prior
from pellucid.vis.prior.denoiser import Denoiser

LAYERS = ["mixed3b", "mixed4a", "mixed4b"]
KINDS = ["unregularised", "frequency penalty", "robustness", "learned prior", "real picture"]


@pytest.fixture(scope="module")
def studio() -> Studio:
    model = load("terrarium")
    return open_studio(model, open_stream("terrarium:48", size=model.size), LAYERS, steps=16, seed=0, tick=lambda count: None)


@pytest.fixture(scope="module")
def alone(studio: Studio) -> Figure:
    return spectrum(replace(studio, prior=None, judge=None))


def test_pictures_come_from_plain_to_real_with_what_they_give(studio: Studio) -> None:
    figure = spectrum(studio)
    (table,) = figure.tables
    assert list(table.columns) == KINDS
    assert [name for name, _ in table.rows][-3:] == ["sandbar", "cat's head or car front", "mean"]
    assert all(each.picture is not None for _, cells in table.rows[:-1] for each in cells)
    numbers = figure.numbers
    assert numbers["gain, real picture"] == pytest.approx(1)
    for far in ("distance", "distance for a second network"):
        assert numbers[f"{far}, real picture"] < min(numbers[f"{far}, {kind}"] for kind in KINDS[:-1])
    assert numbers["fine, frequency penalty"] < numbers["fine, unregularised"]


def test_gains_are_counted_from_the_typical_picture_to_the_best(studio: Studio, alone: Figure) -> None:
    index = studio.channels("mixed4a", 2)[0]
    answers = studio.answers["mixed4a"][:, index]
    name, cells = alone.tables[0].rows[0]
    assert name == f"channel('mixed4a', {index})"
    for place in (0, 1, 2, 4):
        picture = cells[place].picture
        assert picture is not None
        score = studio.scores(channel("mixed4a", index), to_image(picture)[None])
        gain = (score - answers.median()) / (answers.max() - answers.median())
        assert float(cells[place].text.removeprefix("gain ")) == pytest.approx(float(gain), abs=0.02)
    best = to_picture(studio.photos[answers.argmax()])
    assert cells[4].picture is not None and cells[4].picture.tobytes() == best.tobytes()


@pytest.mark.parametrize(
    ("gains", "apart", "holds"),
    [
        ((2, 1.5, 1), [(4, 3), (3, 3), (1, 1)], True),
        ((2, 0.5, 1), [(4, 3), (3, 3), (1, 1)], False),
        ((2, 1.5, 1), [(4, 3), (5, 3), (1, 1)], False),
        ((2, 1.5, 1), [(4, 3), (3, 4), (1, 1)], False),
    ],
)
def test_it_holds_where_everything_falls_from_left_to_right(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, gains: tuple[float], apart: list[tuple[float]], holds: bool
) -> None:
    images = torch.rand(6, 3, 8, 8)
    columns = [Column(str(place), images, [gain] * 6, far) for place, (gain, far) in enumerate(zip(gains, apart, strict=True))]
    monkeypatch.setattr("pellucid.figures.regularisation._columns", lambda studio, units: columns)
    assert spectrum(studio).holds is holds


def test_without_a_prior_its_column_says_so(alone: Figure) -> None:
    (table,) = alone.tables
    assert list(table.columns) == KINDS and MISSING in alone.measured
    assert [cells[3].text for _, cells in table.rows] == [MISSING, *[""] * (len(table.rows) - 1)]
    assert not any("learned prior" in key or "second network" in key for key in alone.numbers)


def test_pictures_of_the_terrarium_bring_their_prior_and_others_bring_none(studio: Studio, tmp_path: Path) -> None:
    assert studio.prior is not None and studio.prior.fingerprint == load_prior("terrarium").fingerprint
    assert studio.judge is not None and studio.judge.name == "terrarium's judge"
    for index, photo in enumerate(studio.photos[:8]):
        to_picture(photo).save(tmp_path / f"{index}.png")
    folder = open_stream(tmp_path, size=studio.model.size)
    other = open_studio(studio.model, folder, LAYERS, steps=2, seed=0, tick=lambda count: None)
    assert other.prior is None and other.judge is None
    mine = Prior(Denoiser(3), 8, (0.5,) * 3, 0.2, {})
    given = open_studio(studio.model, folder, LAYERS, steps=2, seed=0, tick=lambda count: None, prior=mine)
    assert given.prior is mine


def test_a_prior_that_does_not_fit_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.figures.make.FIGURES", ())
    model, grey = load("terrarium"), Prior(Denoiser(1), 8, (0.5,), 0.2, {})
    with pytest.raises(UsageError, match="pictures of 1 channels"):
        make_figures(model, open_stream("terrarium:36", size=model.size), tmp_path, layers=LAYERS, prior=grey)
    assert not list(tmp_path.iterdir())
