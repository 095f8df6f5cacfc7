"""The verb `explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.cli.conftest import Call

from pellucid.arrays import to_image
from pellucid.data.decode import decode, fit
from pellucid.errors import UsageError
from pellucid.models import capture, load

QUICK = ("--layers", "head", "--groups", "1", "--methods", "cam")


def test_a_site_of_two_pictures_says_what_the_network_says(folder: Path, pellucid: Call) -> None:
    done = pellucid(
        "explain", "terrarium", "wide.jpg", "grey.png", "-o", "why", *QUICK, "--targets", "house", "2", "--json", "--quiet"
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["site"] == "why/index.html" and (folder / "why" / "index.html").exists()
    assert [(each["name"], each["page"]) for each in said["pictures"]] == [
        ("wide.jpg", "#/explain/0"),
        ("grey.png", "#/explain/1"),
    ]
    model = load("terrarium")
    image = to_image(fit(decode(folder / "wide.jpg", model.size), model.size))
    with torch.no_grad():
        logits = capture(model, image[None], ["logits"])["logits"].flatten()
    for each in said["pictures"][0]["classes"]:
        assert each["logit"] == pytest.approx(float(logits[each["index"]]), rel=1e-3)
        assert each["class"] == model.classes[each["index"]]
    assert [each["index"] for each in said["pictures"][0]["classes"]] == [model.class_index("house"), 2]
    assert (folder / "why" / "data" / "explain-1.js").exists()


def test_pictures_of_a_run_are_taken_and_checks_are_made(folder: Path, pellucid: Call) -> None:
    pellucid("render", "terrarium", "head:0", "-o", "units", "--steps", "1", "--quiet")
    done = pellucid("explain", "terrarium", "wide.jpg", "-o", "checked", *QUICK, "--run", "units", "--check", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("wide.jpg  ") and " %, " in done.stdout
    assert done.stdout.splitlines()[-1] == "checked/index.html"
    page = (folder / "checked" / "data" / "explain-0.js").read_text("ascii")
    assert '"insertion"' in page


def test_the_layers_of_the_run_are_taken_where_nobody_names_any(pellucid: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    pellucid("render", "terrarium", "mixed3b:1", "conv2:1", "conv1:1", "mixed3a:1", "-o", "four", "--steps", "1", "--quiet")
    asked = []

    def noted(*given: Any, **_: object) -> None:
        asked.append(given[3].layers)
        raise UsageError("enough")

    monkeypatch.setattr("pellucid.site.explaining.explain_photos", noted)
    for more in ((), ("--layers", "conv1")):
        pellucid("explain", "terrarium", "wide.jpg", "-o", "layered", "--run", "four", *more, "--quiet")
    assert asked == [("conv2", "mixed3a", "mixed3b"), ("conv1",)]


def test_more_groups_than_a_layer_has_room_for_are_said(pellucid: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def enough(*_given: object, **_named: object) -> None:
        raise UsageError("enough")

    monkeypatch.setattr("pellucid.site.explaining.explain_photos", enough)
    call = ("explain", "terrarium", "wide.jpg", "-o", "grouped", "--quiet")
    for layers, said in (([], "144 in mixed4b"), (["--layers", "head", "conv1"], "1 in head, 32 in conv1")):
        line, _ = pellucid(*call, *layers, "--groups", "150").stderr.splitlines()
        assert line.startswith("pellucid: --groups 150: as many as a layer has channels or positions are made, ")
        assert line.endswith(said)
    assert pellucid(*call, "--layers", "head").stderr == "pellucid: enough\n"  # nobody asked for a number


def test_a_class_that_is_off_is_said(folder: Path, pellucid: Call) -> None:
    (folder / "off.py").write_text(
        "import torch\nfrom torch import nn\nSIZE, CLASSES = 16, ['off', 'on', 'other']\n\n\n"
        "def build():\n"
        "    only = nn.Conv2d(3, 3, 3)\n"
        "    nn.init.ones_(only.weight)\n"
        "    only.bias.data = torch.tensor([-50.0, 0.0, 0.0])\n"
        "    return nn.Sequential(only, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    call = ("explain", "off.py:build", "wide.jpg", "-o", "off", "--layers", "0", "--methods", "saliency", "--quiet")
    done = pellucid(*call, "--targets", "off", "on")
    said = "wide.jpg: no pixel moves off, of score 0, as behind a ReLU that is off; there is nothing on the maps"
    assert (done.returncode, done.stderr) == (0, f"pellucid: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("broken.jpg",), "broken.jpg: not a picture that Pillow can read"),
        (("missing.jpg",), "missing.jpg: no such file"),
        (("wide.jpg", "scenes"), "scenes: a folder; give the paths of pictures, such as scenes/*.jpg"),
        (("wide.jpg", "broken.jpg"), "broken.jpg: not a picture"),
        (("wide.jpg", "--layers", "mixed9"), "'mixed9' is not there (did you mean mixed"),
        (("wide.jpg", "--targets", "hous"), "'hous' is not there (did you mean house"),
        (("wide.jpg", "--methods", "gradcam"), "method 'gradcam' is not there (did you mean grad-cam"),
        (("wide.jpg", "--methods", "rollout", "--layers", "head"), "runs no attention"),
        (("wide.jpg", "--run", "empty"), "--run empty: no pictures of units"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_nothing(
    folder: Path, pellucid: Call, arguments: tuple[str, ...], said: str
) -> None:
    done = pellucid("explain", "terrarium", *arguments, "-o", "nothing", "--quiet")
    assert done.returncode in (1, 2)
    assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (folder / "nothing").exists()
