import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pellucid.build import Result, _held, build_site, make_plan
from pellucid.data.store import Store
from pellucid.data.stream import open_stream
from pellucid.errors import UsageError
from pellucid.models import load
from pellucid.models.model import OUTPUT
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


def captured(layer: str) -> tuple[Any, Any]:
    """The mean answers of a layer to every picture, as they are kept; and what the network takes each for."""
    import torch

    from pellucid.models import capture

    model, stream = load("terrarium"), open_stream("terrarium:160", size=(96, 96))
    with torch.no_grad():
        found = [capture(model, images, [layer, OUTPUT]) for _, images in stream.batches(0, 160, batch=40)]
    maps, logits = (torch.cat([each[name] for each in found]) for name in (layer, OUTPUT))
    return maps.mean((2, 3)).half().double().numpy(), logits.flatten(1).argmax(1).numpy()


def test_the_nearest_pictures_are_the_nearest(run: Path) -> None:
    pictures, wall = data(run, "pictures")["pictures"], data(run, "wall-1")
    means, said = captured("mixed4a")
    assert [each["image"] for each in pictures] == list(range(160)) and [each["said"] for each in pictures] == said.tolist()
    assert len(set(wall["tiles"])) == 160 and max(wall["tiles"]) < wall["side"] ** 2 == 169
    stream = open_stream("terrarium:160", size=(96, 96))
    small = np.stack([np.asarray(stream.picture(index).resize((32, 32), Image.Resampling.BILINEAR), float) for index in range(160)])
    for place in range(0, 160, 7):
        cosines = [1 - means[place] @ each / np.linalg.norm(means[place]) / np.linalg.norm(each) for each in means]
        squares = [math.sqrt(np.mean((small[place] / 255 - each / 255) ** 2)) for each in small]
        for apart, known in ((cosines, wall["neighbours"]), (squares, data(run, "near-pixels"))):
            wanted = sorted(value for other, value in enumerate(apart) if other != place)[:8]
            assert place not in known["near"][place] and len(set(known["near"][place])) == 8
            assert known["apart"][place] == pytest.approx(wanted, rel=1e-2, abs=1e-3)
            assert [apart[other] for other in known["near"][place]] == pytest.approx(wanted, rel=1e-2, abs=1e-3)


def test_units_are_beside_their_likes_and_name_classes_and_concepts(run: Path) -> None:
    from pellucid.analysis.concepts import terrarium_concepts
    from pellucid.analysis.dissect import dissect

    page, (means, _), store = data(run, "layer-1"), captured("mixed4a"), Store.open(run / "store")
    vectors, spoken = (np.asarray(each("mixed4a"), float) for each in (store.vectors, store.attributions))
    beyond = spoken - spoken.mean(1, keepdims=True)
    channels = [unit["channel"] for unit in page["units"]]
    alike = np.corrcoef(means[:, channels].T)
    concepts = terrarium_concepts(page["concepts"]["pictures"], size=(96, 96))
    found = dissect(load("terrarium"), "mixed4a", concepts)
    for place, unit in enumerate(page["units"]):
        order = [other for other in np.argsort(-alike[place]).tolist() if other != place]
        near = [other for other in order if alike[place, other] > 0][:6]
        far = [other for other in order[::-1] if alike[place, other] < 0][:3]
        assert [each["unit"] for each in unit["alike"]] == near and [each["unit"] for each in unit["opposite"]] == far
        assert [each["correlation"] for each in unit["opposite"]] == pytest.approx(alike[place, far].tolist(), abs=1e-3)
        own = np.corrcoef(vectors[:, unit["channel"]], beyond.T)[0, 1:]
        wanted = [index for index in np.argsort(-own).tolist() if own[index] >= 4 / math.sqrt(160)][:5]
        assert [each["index"] for each in unit["favours"]] == wanted
        assert [each["correlation"] for each in unit["favours"]] == pytest.approx(own[wanted].tolist(), abs=1e-3)
        [best, *_] = [each["iou"] for each in unit["concepts"]] or [0]
        assert best == pytest.approx(float(found.scores[unit["channel"]]), rel=1e-2)
        assert unit["concepts"] == [] or unit["concepts"][0]["concept"] == found.best[unit["channel"]]
    assert any(unit["favours"] for unit in page["units"])


def test_pictures_on_the_wall_are_said_to_be(run: Path) -> None:
    shown = {each["image"] for each in data(run, "pictures")["pictures"]}
    for unit in data(run, "layer-0")["units"]:
        assert all(each["wall"] == (each["image"] in shown) for each in unit["examples"])


@pytest.mark.parametrize("known", [True, False])
def test_concepts_of_a_folder_are_scored_where_masks_are_given(tmp_path: Path, known: bool) -> None:
    from pellucid.analysis.concepts import folder_concepts

    world = open_stream("terrarium:12", size=(96, 96))
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "concepts.csv").write_text("number,name\n1,bright\n")
    for index in range(12):
        picture = world.picture(index)
        picture.save(tmp_path / "photos" / f"{index:02d}.png")
        Image.fromarray((np.asarray(picture.convert("L")) > 150).astype(np.uint8)).save(tmp_path / "masks" / f"{index:02d}.png")
    model, stream = load("terrarium"), open_stream(tmp_path / "photos", size=(96, 96))
    concepts = folder_concepts(tmp_path / "photos", tmp_path / "masks", size=(96, 96)) if known else None
    plan = make_plan(model, stream, layers=["conv2"], units=3, steps=1, grids=[2], positions=1)
    build_site(model, stream, tmp_path / "run", plan, concepts=concepts)
    page = data(tmp_path / "run", "layer-0")
    assert page["concepts"] == ({"pictures": 12, "concepts": 1, "limit": 0.04} if known else None)
    assert [[each["concept"] for each in unit["concepts"]] for unit in page["units"]] == [["bright"] if known else []] * 3
    if known:
        with pytest.raises(UsageError, match="concepts was"):
            build_site(model, stream, tmp_path / "run", plan)


def test_a_second_start_does_nothing_and_changes_nothing(run: Path) -> None:
    before = whole(run)
    result = build(run)
    assert result.index == run / "site" / "index.html"
    assert whole(run) == before


def test_other_settings_are_refused(run: Path) -> None:
    with pytest.raises(UsageError, match="steps was 3, is now 4"):
        build(run, steps=4)
    with pytest.raises(UsageError, match="the pictures are others"):
        build(run, pictures=161)
    with pytest.raises(UsageError, match="the network is another one"):
        build(run, spec="terrarium:judge")


def test_no_more_positions_are_sampled_than_the_layers_have() -> None:
    model, stream = load("terrarium"), open_stream("terrarium:160", size=(96, 96))
    assert [make_plan(model, stream, layers=layers).positions for layers in (["head"], ["head", "mixed4b"])] == [1, 12]


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


def test_a_picture_that_was_read_is_not_read_again() -> None:
    known, reads = open_stream("terrarium:3", size=(96, 96)), list[int]()

    def read(index: int) -> Image.Image:
        reads.append(index)
        return known.read(index)

    held = _held(replace(known, read=read))
    for _ in range(2):
        assert [held.picture(index).tobytes() for index in range(3)] == [known.picture(index).tobytes() for index in range(3)]
    assert reads == [0, 1, 2]


def test_defaults_suit_the_number_of_pictures() -> None:
    model = load("terrarium")
    few, many = (make_plan(model, open_stream(f"terrarium:{count}", size=(96, 96))) for count in (100, 100_000))
    assert few.positions > many.positions == 1
    assert few.grids[-1] < many.grids[-1] <= 40
    assert few.layers == tuple(spanning_layers(model, 3))
    assert len(few.layers) == 3


def test_units_that_answer_the_same_everywhere_say_so_and_show_no_pictures(tmp_path: Path) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    first = nn.Conv2d(3, 6, 5, stride=4)
    with torch.no_grad():
        assert first.bias is not None
        first.weight[1:3], first.bias[1], first.bias[2] = 0, -1, 2
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)]
    model = load(nn.Sequential(first, nn.ReLU(), *head), size=32, classes=["a", "b", "c"])
    stream = open_stream("terrarium:40", size=(32, 32))
    build_site(model, stream, tmp_path, make_plan(model, stream, layers=["1"], units=6, steps=2, grids=[2], positions=2))
    units = data(tmp_path, "layer-0")["units"]
    assert [unit["constant"] for unit in units] == [None, 0.0, 2.0, None, None, None]
    assert [bool(unit["examples"] or unit["spectrum"]) for unit in units] == [True, False, False, True, True, True]
