"""One page of figures: each with its claim, the number that supports or contradicts it, and tables of pictures."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from pellucid.arrays import to_picture
from pellucid.files import writing
from pellucid.schema import to_json

QUALITY = 92  # of the WebP pictures


@dataclass(frozen=True)
class Cell:
    """A picture with what is written under it; one without a picture is text alone."""

    picture: Image.Image | None
    text: str = ""


@dataclass(frozen=True)
class Table:
    """Pictures in rows and columns, each with its heading."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """One figure of the page.

    Attributes:
        key: a word for links and file names.
        title: what it is about.
        claim: what the literature says, in one line.
        measured: what came out on this network, in one line, with the numbers.
        holds: whether the numbers support the claim; None where they cannot say.
        numbers: everything that was measured, ready for JSON.
        tables: the pictures.
        source: who claims it.
    """

    key: str
    title: str
    claim: str
    measured: str
    holds: bool | None
    numbers: dict[str, float]
    tables: Sequence[Table]
    source: str


def cell(image: Float[Tensor, "c h w"], text: str = "") -> Cell:
    """A cell of the page from an image in [0, 1].

    >>> import torch
    >>> cell(torch.zeros(3, 8, 9), "dark").picture.size
    (9, 8)
    """
    return Cell(to_picture(image), text)


def signed(values: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """Numbers around 0 as an image around grey; the strongest hundredth is clipped.

    >>> import torch
    >>> signed(torch.tensor([[[-2.0, 0.0, 2.0]]])).tolist()
    [[[0.0, 0.5, 1.0]]]
    """
    most = values.abs().flatten().quantile(0.99).clamp(min=1e-12)
    return (0.5 + values / (2 * most)).clamp(0, 1)


def write_page(folder: Path, title: str, about: str, figures: Sequence[Figure]) -> Path:
    """Write `index.html`, its pictures and `figures.json` into a folder; the page comes last, so that one that opens is whole.

    Raises:
        PellucidError: the disk is full or the folder cannot be written.
    """
    sections = [_section(folder, number, figure) for number, figure in enumerate(figures, 1)]
    rows = [{name: getattr(each, name) for name in ("key", "title", "claim", "measured", "holds", "numbers")} for each in figures]
    with writing(folder / "figures.json") as path:
        path.write_text(to_json(rows), encoding="utf-8")
    links = "".join(f'<li><a href="#{each.key}">{html.escape(each.title)}</a></li>' for each in figures)
    page = PAGE.format(title=html.escape(title), about=html.escape(about), links=links, sections="\n".join(sections))
    with writing(folder / "index.html") as path:
        path.write_text(page, encoding="utf-8")
    return folder / "index.html"


def _section(folder: Path, number: int, figure: Figure) -> str:
    verdict = {True: ("holds", "holds here"), False: ("fails", "does not hold here"), None: ("open", "cannot be told here")}
    css, said = verdict[figure.holds]
    tables = "".join(_table(folder, f"{figure.key}-{index}", table) for index, table in enumerate(figure.tables))
    return (
        f'<section id="{figure.key}" aria-labelledby="{figure.key}-title">'
        f'<h2 id="{figure.key}-title">{number}. {html.escape(figure.title)}</h2>'
        f'<p class="claim">{html.escape(figure.claim)} <cite>{html.escape(figure.source)}</cite></p>'
        f'<p class="measured {css}"><b>{said}</b> {html.escape(figure.measured)}</p>{tables}</section>'
    )


def _table(folder: Path, name: str, table: Table) -> str:
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in table.columns)
    rows = []
    for row, (heading, cells) in enumerate(table.rows):
        inside = "".join(_cell(folder, f"{name}-{row}-{col}", heading, each) for col, each in enumerate(cells))
        rows.append(f'<tr><th scope="row">{html.escape(heading)}</th>{inside}</tr>')
    caption = f"<caption>{html.escape(table.title)}</caption>" if table.title else ""
    body = f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(name)}"><table>{caption}{body}</table></div>'


def _cell(folder: Path, name: str, heading: str, cell: Cell) -> str:
    text = f"<span>{html.escape(cell.text)}</span>" if cell.text else ""
    if cell.picture is None:
        return f"<td>{text}</td>"
    target = folder / "pictures" / f"{name}.webp"
    with writing(target) as path:
        cell.picture.save(path, format="WEBP", quality=QUALITY, method=4)
    alt = html.escape(" ".join(part for part in (heading, cell.text) if part), quote=True)
    width, height = cell.picture.size
    return f'<td><img src="pictures/{name}.webp" alt="{alt}" width="{width}" height="{height}">{text}</td>'


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1c1c1e; --soft: #5c5c66; --line: #d9d9de; --paper: #fff; --good: #1a7f37;
  --bad: #b3261e; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #ececf0; --soft: #a5a5b0; --line: #3a3a42; --paper: #17171a; --good: #57c776; --bad: #ff8a80; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }}
h2 {{ font-size: 1.25rem; margin: 0 0 .25rem; }}
nav ol {{ columns: 16rem; column-gap: 2.5rem; padding-left: 2rem; }}
a {{ color: inherit; }}
section {{ border-top: 1px solid var(--line); padding: 1.5rem 0 .5rem; margin-top: 1.5rem; }}
.claim {{ max-width: 46rem; margin: .25rem 0; }}
cite {{ color: var(--soft); font-style: normal; font-size: .875rem; }}
.measured {{ max-width: 46rem; margin: .25rem 0 1rem; padding-left: .75rem; border-left: 3px solid var(--soft); }}
.measured.holds {{ border-color: var(--good); }} .measured.holds b {{ color: var(--good); }}
.measured.fails {{ border-color: var(--bad); }} .measured.fails b {{ color: var(--bad); }}
.measured b::after {{ content: ":"; }}
.scroll {{ overflow-x: auto; margin: 0 0 1rem; }}
table {{ border-collapse: collapse; }}
caption {{ text-align: left; font-weight: 600; padding: .25rem 0; }}
th {{ font-weight: 500; font-size: .875rem; color: var(--soft); text-align: left; vertical-align: top;
  padding: .25rem .5rem .25rem 0; }}
thead th {{ vertical-align: bottom; }}
tbody th {{ min-width: 6.5rem; max-width: 12rem; }}
td {{ padding: 0 .375rem .5rem 0; vertical-align: top; font-size: .8125rem; color: var(--soft); }}
td img {{ display: block; height: 7rem; width: auto; }}
td span {{ display: block; max-width: 9rem; }}
</style>
</head>
<body>
<header><h1>{title}</h1><p>{about}</p><nav aria-label="Figures"><ol>{links}</ol></nav></header>
<main>
{sections}
</main>
</body>
</html>
"""
