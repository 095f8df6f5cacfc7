import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pellucid.build import Result, build_site, make_plan
from pellucid.data.stream import open_stream
from pellucid.errors import UsageError
from pellucid.models import load
from pellucid.models.spanning import spanning_layers

SMALL: dict[str, Any] = {"layers": ["mixed3b", "mixed4a"], "units": 10, "steps": 3, "grids": [3, 6], "positions": 2}
COMMAND = [
    *(sys.executable, "-m", "pellucid.cli", "build", "terrarium", "terrarium:160", "--quiet"),
    *("--layers", "mixed3b", "mixed4a", "--units", "10", "--steps", "3", "--grid", "3", "6", "--positions", "2", "-o"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build") / "run"
    subprocess.run([*COMMAND, str(folder)], check=True, capture_output=True)
    return folder


def build(run: Path, *, spec: str = "terrarium", pictures: int = 160, **settings: Any) -> Result:
    model, stream = load(spec), open_stream(f"terrarium:{pictures}", size=(96, 96))
    return build_site(model, stream, run, make_plan(model, stream, **{**SMALL, **settings}))


def data(run: Path, key: str) -> Any:
    text = (run / "site" / "data" / f"{key}.js").read_text()
    return json.loads(text.partition(", ")[2].removesuffix(");\n"))


def whole(run: Path) -> dict[str, bytes]:
    """Every file of a run, without the times in its manifest."""
    files = {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    manifest = json.loads(files["manifest.json"])
    manifest.pop("times")
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def test_the_site_holds_what_was_asked(run: Path) -> None:
    site = data(run, "site")
    assert [each["name"] for each in site["layers"]] == ["mixed3b", "mixed4a"]
    assert site["dataset"]["pictures"] == 160
    for card in site["layers"]:
        page = data(run, f"layer-{card['id']}")
        assert len(page["units"]) == card["units"] == card["sprites"]["count"] == 10
        assert all(len(unit["examples"]) == 9 for unit in page["units"])
        levels = [data(run, f"atlas-{card['id']}-{level['grid']}") for level in page["atlas"]["levels"]]
        assert [level["grid"] for level in levels] == [3, 6]
        assert all(
            len(level["cells"]) == card_["icons"]["count"] for level, card_ in zip(levels, page["atlas"]["levels"], strict=True)
        )
        assert all(sum(cell["count"] for cell in level["cells"]) <= page["atlas"]["samples"] == 320 for level in levels)


def test_every_path_in_the_data_is_a_file_and_every_file_is_named(run: Path) -> None:
    site = run / "site"
    named = {path for script in site.glob("data/*.js") for path in re.findall(r'"((?:sprites|units)/[^"]+)"', script.read_text())}
    assert named == {path.relative_to(site).as_posix() for folder in ("sprites", "units") for path in (site / folder).rglob("*.*")}
    assert (site / "index.html").exists()


def test_examples_are_the_best_pictures_of_the_world(run: Path) -> None:
    import torch

    from pellucid.models import capture

    model, stream = load("terrarium"), open_stream("terrarium:160", size=(96, 96))
    with torch.no_grad():
        maps = torch.cat([capture(model, images, ["mixed4a"])["mixed4a"] for _, images in stream.batches(0, 160, batch=40)])
    unit = data(run, "layer-1")["units"][3]
    best = maps[:, unit["channel"]].amax((1, 2)).sort(descending=True)
    assert [each["value"] for each in unit["examples"]] == pytest.approx(best.values[:9].tolist(), rel=1e-3)


def test_a_second_start_does_nothing_and_changes_nothing(run: Path) -> None:
    before = whole(run)
    result = build(run)
    assert result.index == run / "site" / "index.html"
    assert whole(run) == before


def test_other_settings_are_refused(run: Path) -> None:
    with pytest.raises(UsageError, match="steps was 3, is now 4"):
        build(run, steps=4)
    with pytest.raises(UsageError, match="images was"):
        build(run, pictures=161)
    with pytest.raises(UsageError, match="model was"):
        build(run, spec="terrarium:judge")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_at_five_random_moments_it_ends_with_the_same_files(run: Path, tmp_path: Path) -> None:
    folder, moments = tmp_path / "run", random.Random(7)
    start = time.perf_counter()
    kills = 0
    while kills < 5:
        process = subprocess.Popen([*COMMAND, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(moments.uniform(2.5, 6.0))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            continue
        break  # it finished before its next kill: the machine is fast
    subprocess.run([*COMMAND, str(folder)], check=True, capture_output=True)
    assert kills >= 2, f"it was too fast to be killed ({time.perf_counter() - start:.1f} s)"
    assert whole(folder) == whole(run)


def test_defaults_suit_the_number_of_pictures() -> None:
    model = load("terrarium")
    few, many = (make_plan(model, open_stream(f"terrarium:{count}", size=(96, 96))) for count in (100, 100_000))
    assert few.positions > many.positions == 1
    assert few.grids[-1] < many.grids[-1] <= 40
    assert few.layers == tuple(spanning_layers(model, 3))
    assert len(few.layers) == 3
