"""Every figure of Feature Visualization on the terrarium, small."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from pellucid.data.stream import open_stream
from pellucid.errors import PellucidError, UsageError
from pellucid.figures.make import FIGURES, make_figures
from pellucid.figures.measures import falling
from pellucid.figures.naive import RATES
from pellucid.figures.page import Cell, Figure, Table, cell, write_page
from pellucid.figures.sliders import PARTS, Row, row, table
from pellucid.figures.studio import Studio, open_studio
from pellucid.models import load
from pellucid.vis import channel

LAYERS = ["mixed3b", "mixed4a", "mixed4b"]


class Seen(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.pictures: list[dict] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if "id" in known:
            self.ids.add(str(known["id"]))
        if tag == "img":
            self.pictures.append(known)
        if tag == "a":
            self.links.append(str(known["href"]))


@pytest.mark.slow
def test_every_figure_is_made_and_says_what_was_measured(tmp_path: Path) -> None:
    model = load("terrarium")
    done = []
    stream = open_stream("terrarium:36", size=model.size)
    figures = make_figures(
        model, stream, tmp_path, layers=LAYERS, steps=16, progress=lambda index, total: done.append((index, total))
    )
    assert done == [(index, len(FIGURES)) for index in range(len(FIGURES) + 1)]
    seen = Seen((tmp_path / "index.html").read_text())
    assert [link.removeprefix("#") for link in seen.links] == [each.key for each in figures]
    assert all(link.removeprefix("#") in seen.ids for link in seen.links)
    assert len(seen.pictures) > 200 and all(each["alt"] and (tmp_path / each["src"]).exists() for each in seen.pictures)
    stored = json.loads((tmp_path / "figures.json").read_text())
    for figure, known in zip(figures, stored, strict=True):
        assert known["numbers"] and known["measured"] == figure.measured and any(each.isdigit() for each in figure.measured)
    found = {each.key: each for each in figures}
    assert found["naive"].holds and found["filters"].holds and found["descent"].holds
    fine = found["penalties"].numbers
    assert fine["fine, blur × 4"] < fine["fine, blur × 0"]
    for name in ("L1", "L2"):
        sizes = [fine[f"size, {name} × {part:g}"] for part in PARTS]
        assert falling(sizes) and sizes[-1] < 0.9 * sizes[0]
    peaks = found["preconditioning"].numbers
    for rate in RATES:
        assert peaks[f"peaks, robust, rate {rate:g}"] < peaks[f"peaks, neither, rate {rate:g}"]


def test_the_page_escapes_what_it_shows(tmp_path: Path) -> None:
    table = Table(["<b>column"], [("<i>row", [cell(torch.rand(3, 8, 8), 'a "picture"'), Cell(None, "<none>")])], "<title>")
    figure = Figure("key", "<u>title", "<claim>", "<measured>", None, {"a": 1.0}, [table], "<source>")
    page = write_page(tmp_path, "<h1>", "<about>", [figure]).read_text()
    body = page.split("</style>")[1]
    assert not [
        each for each in ("<b>column", "<i>", "<u>", "<none>", "<claim>", "<measured>", "<about>", "<source>") if each in body
    ]
    assert "&lt;b&gt;column" in page and "a &quot;picture&quot;" in page and "cannot be told here" in page
    assert not list(tmp_path.rglob("*.part"))


def test_what_a_row_is_like_stands_behind_its_pictures() -> None:
    units = [channel("conv1", 0), channel("conv1", 3)]
    shown = table(units, [Row("plain", torch.rand(2, 3, 8, 8), [1.0, 2.0], fine=0.32, score=1, kept=0.676, size=0.2)], "title")
    assert list(shown.columns) == [*(unit.name for unit in units), "mean"]
    ((name, cells),) = shown.rows
    assert name == "plain" and [each.text for each in cells] == ["", "", "32% fine, score 100%, kept 68%"]
    assert [each.picture is None for each in cells] == [False, False, True]


def test_channels_are_those_that_tell_pictures_apart() -> None:
    model = load("terrarium")
    studio = open_studio(model, open_stream("terrarium:72", size=model.size), LAYERS, steps=2, seed=0, tick=lambda count: None)
    assert isinstance(studio, Studio) and studio.photos.shape == (72, 3, 96, 96)
    chosen = studio.channels("mixed4a", 4)
    answers = studio.answers["mixed4a"]
    peak = (answers.amax(0) - answers.mean(0)) / answers.std(0)
    for part, index in zip(torch.arange(160).tensor_split(4), chosen, strict=True):
        assert index in part and peak[index] == peak[part][~peak[part].isnan()].max()


def test_wrong_use(tmp_path: Path) -> None:
    model = load("terrarium")
    with pytest.raises(UsageError, match="a low, a middle and a high one"):
        make_figures(model, open_stream("terrarium:36", size=model.size), tmp_path, layers=["mixed3b"])
    with pytest.raises(PellucidError, match="at least 8"):
        make_figures(model, open_stream("terrarium:6", size=model.size), tmp_path, layers=LAYERS)
    with pytest.raises(UsageError, match="steps"):
        make_figures(model, open_stream("terrarium:36", size=model.size), tmp_path, layers=LAYERS, steps=4)
    assert not list(tmp_path.iterdir())


def test_units_that_answer_nothing_to_their_pictures_score_nothing() -> None:
    class Silent:
        def scores(self, unit: object, images: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(images))

        def kept(self, unit: object, image: torch.Tensor) -> float:
            return 0.0

    units, images = [channel("conv1", 0)], torch.rand(1, 3, 16, 16)
    first = row(Silent(), units, "first", images, None)  # pyright: ignore[reportArgumentType]
    assert row(Silent(), units, "second", images, first).score == 0  # pyright: ignore[reportArgumentType]
