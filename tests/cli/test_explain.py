"""The verb `explain`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.cli.conftest import Call

from pellucid.arrays import to_image
from pellucid.data.decode import decode, fit
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("broken.jpg",), "broken.jpg: not a picture that Pillow can read"),
        (("missing.jpg",), "missing.jpg: no such file"),
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
