"""Make the README's pictures from the demo's run: `make pictures`."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from pellucid.arrays import contact_sheet, to_picture
from pellucid.models import load
from pellucid.terrarium.world import CLASSES, draw
from pellucid.vis import render

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def data(site: Path, key: str) -> Any:
    return json.loads((site / "data" / f"{key}.js").read_text().partition(", ")[2].removesuffix(");\n"))


def units(site: Path, columns: int = 9) -> Image.Image:
    """What the classes look for, then the first units of the two deepest layers, a row each."""
    classes = [to_picture(each.image) for each in render(load("terrarium"), [f"class:{name}" for name in CLASSES])]
    pages = [data(site, f"layer-{layer['id']}")["units"] for layer in data(site, "site")["layers"][-2:]]
    chosen = [unit for page in pages for unit in [each for each in page if not each["silent"]][:columns]]
    pictures = [*classes, *(Image.open(site / unit["picture"]) for unit in chosen)]
    return contact_sheet([each.resize((128, 128), Image.Resampling.BICUBIC) for each in pictures], columns=columns, gap=4)


def world(columns: int = 9) -> Image.Image:
    """One picture of each class."""
    scenes = [draw(1000 + index, label=label, masks=False) for index, label in enumerate(CLASSES)]
    return contact_sheet([scene.picture for scene in scenes], columns=columns, gap=4)


def page(site: Path, route: str, target: Path) -> None:
    """A screenshot of a page with a cell chosen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        view = browser.new_page(viewport={"width": 1280, "height": 760})
        view.goto(f"{(site / 'index.html').resolve().as_uri()}{route}")
        view.wait_for_timeout(1500)
        view.mouse.move(500, 300)  # on an icon of the middle
        view.wait_for_timeout(800)
        view.screenshot(path=target)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the demo's run folder")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    site = arguments.run / "site"
    units(site).save(arguments.output / "units.jpg", quality=90)
    world().save(arguments.output / "world.jpg", quality=90)
    page(site, "#/layer/2/atlas", arguments.output / "atlas.png")


if __name__ == "__main__":
    main()
