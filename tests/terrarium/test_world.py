import subprocess
import sys

import numpy as np
import pytest

from pellucid.errors import NotFoundError, UsageError
from pellucid.terrarium.world import CLASSES, PARTS, SIZE, draw

# what every picture of a class shows, and what none does
PARTS_OF = {
    "sandbar": ({"sand", "water"}, {"shell", "starfish"}),
    "beach": ({"sand", "shell"}, {"water"}),
    "lake": ({"water"}, {"sand", "boat"}),
    "fireboat": ({"boat", "crane", "window", "water"}, {"wheel"}),
    "streetcar": ({"streetcar", "window", "wheel", "rails"}, {"steam"}),
    "house": ({"house", "window", "roof", "door"}, {"wheel"}),
    "steam locomotive": ({"boiler", "cylinder", "wheel", "window", "steam", "rails"}, {"air tank"}),
    "snorkel": ({"diver", "mask", "snorkel", "water"}, {"air tank", "cylinder"}),
    "scuba diver": ({"diver", "mask", "air tank", "cylinder", "water"}, {"boiler"}),
    "starfish": ({"starfish", "dots"}, {"diver"}),
    "cabbage": ({"cabbage", "veins"}, {"sky"}),
    "fish": ({"fish", "eye", "fins", "water"}, {"diver"}),
    "bicycle": ({"wheel", "frame", "saddle"}, {"window"}),
    "lighthouse": ({"tower", "lamp", "rock", "water"}, {"boat"}),
    "balloon": ({"balloon", "basket", "sky"}, {"grass"}),
    "sunflower": ({"petals", "heart", "stem"}, {"mushroom"}),
    "mushroom": ({"cap", "stalk", "dots"}, {"petals"}),
}


def scenes(label: str, count: int = 4):
    return [draw(index, seed=11, label=label) for index in range(count)]


def test_the_same_arguments_draw_the_same_bytes_whatever_was_drawn_before():
    first = draw(9, seed=4)
    draw(10, seed=4)
    again = draw(9, seed=4)
    assert first.picture.tobytes() == again.picture.tobytes()
    assert first.parameters == again.parameters
    assert first.masks.keys() == again.masks.keys()
    assert all((first.masks[part] == again.masks[part]).all() for part in first.masks)


@pytest.mark.parametrize("label", CLASSES)
def test_leaving_the_masks_out_draws_the_same_picture(label):
    without = draw(5, seed=2, label=label, masks=False)
    assert without.masks == {}
    assert without.picture.tobytes() == draw(5, seed=2, label=label).picture.tobytes()


def test_pictures_differ_by_index_and_by_seed():
    drawn = {draw(index, seed=seed, label="house", masks=False).picture.tobytes() for index in range(3) for seed in range(3)}
    assert len(drawn) == 9


def test_classes_take_turns_and_naming_the_class_changes_nothing():
    for index in (*range(len(CLASSES)), 40, 1000):
        scene = draw(index, masks=False)
        assert scene.label == CLASSES[scene.class_index] == CLASSES[index % len(CLASSES)]
    assert draw(2, masks=False).picture.tobytes() == draw(2, label=CLASSES[2], masks=False).picture.tobytes()


@pytest.mark.parametrize("label", CLASSES)
def test_masks_are_of_declared_parts_and_not_empty(label):
    for scene in scenes(label, 3):
        assert scene.masks.keys() <= set(PARTS)
        for mask in scene.masks.values():
            assert mask.shape == (SIZE, SIZE)
            assert mask.dtype == bool
            assert mask.any()
        assert scene.picture.mode == "RGB"
        assert scene.picture.size == (SIZE, SIZE)
        # nearly every pixel is something
        assert np.logical_or.reduce(list(scene.masks.values())).mean() > 0.95


@pytest.mark.parametrize("label", PARTS_OF)
def test_each_class_shows_its_parts(label):
    always, never = PARTS_OF[label]
    for scene in scenes(label):
        assert always <= scene.masks.keys()
        assert not never & scene.masks.keys()


def test_parts_are_declared_once_and_classes_are_distinct():
    assert len(set(PARTS)) == len(PARTS)
    assert len(set(CLASSES)) == len(CLASSES) >= 16


def test_a_sandbar_is_sand_with_water_on_both_sides():
    for scene in scenes("sandbar", 8):
        sand, water = scene.masks["sand"], scene.masks["water"]
        both = 0
        for row in range(SIZE // 2, SIZE):
            cols = np.flatnonzero(sand[row])
            both += bool(water[row, : cols.min()].any() and water[row, cols.max() :].any())
        assert both > 0.9 * SIZE / 2


def test_windows_lie_within_what_they_belong_to():
    for label, whole in (("fireboat", "boat"), ("streetcar", "streetcar"), ("house", "house")):
        for scene in scenes(label):
            assert not (scene.masks["window"] & ~scene.masks[whole]).any()


def test_masks_say_what_the_pixels_show():
    for scene in scenes("sunflower"):
        pixels = np.asarray(scene.picture).astype(float)
        red, _, blue = pixels[scene.masks["petals"]].mean(0)
        assert red > 1.5 * blue  # yellow
        assert pixels[scene.masks["heart"]].mean() < pixels[scene.masks["petals"]].mean()


def test_the_cat_or_car_class_has_two_faces_that_share_no_part_of_their_own():
    faces = {"cat": set(), "car": set()}
    for scene in scenes("cat's head or car front", 14):
        face = scene.parameters["face"]
        faces[face] |= scene.masks.keys()
        assert face in scene.masks
    assert {"ear", "eye", "whiskers"} <= faces["cat"] - faces["car"]
    assert {"headlight", "grille", "wheel"} <= faces["car"] - faces["cat"]


def test_a_starfish_lies_on_the_ground_that_its_facts_name():
    grounds = [scene.parameters["ground"] for scene in scenes("starfish", 12) if scene.parameters["ground"] in scene.masks]
    assert len(grounds) == 12
    assert set(grounds) == {"sand", "water"}


def test_snorkel_and_scuba_diver_differ_by_few_parts():
    snorkels, divers = ([set(scene.masks) for scene in scenes(label, 12)] for label in ("snorkel", "scuba diver"))
    assert set.union(*divers) ^ set.union(*snorkels) == {"air tank", "cylinder", "hose", "regulator"}
    # most divers carry a snorkel too, so that only the tank tells
    assert 0 < sum("snorkel" in parts for parts in divers) < 12


@pytest.mark.parametrize("size", [32, 150])
def test_a_scene_can_be_drawn_at_any_size(size):
    small, usual = draw(6, size=size), draw(6)
    assert small.picture.size == (size, size)
    for part in ("boiler", "sky"):
        assert abs(small.masks[part].mean() - usual.masks[part].mean()) < 0.02


def test_wrong_arguments_are_refused():
    with pytest.raises(NotFoundError, match="fireboat"):
        draw(0, label="fire boat")
    with pytest.raises(UsageError, match="size=8"):
        draw(0, size=8)
    with pytest.raises(UsageError, match="index=-1"):
        draw(-1)


def test_drawing_needs_no_torch():
    code = "import sys, pellucid.terrarium.world as w; w.draw(0); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
