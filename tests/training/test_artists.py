"""Other artists' pictures: found by name, laid over doodle's own, left out if they do not fit."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.things import RED, ball, box, concepts
from training.doodle.artists import (
    fitted,
    load_artists,
    matched,
    mean_colour,
    names_of,
    rasterise,
    small,
    turned,
)
from training.doodle.data import ARTISTS, dominant_hue

LIME = (120, 200, 20)
BLUE_DISC = '<circle cx="16" cy="16" r="8" fill="#1040f0"/>'


def opaque(image: np.ndarray) -> np.ndarray:
    return image[..., 3] > 128


def box_of(image: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(opaque(image))
    return [int(edge) for edge in (columns.min(), rows.min(), columns.max(), rows.max())]


def shape(points: list[tuple[slice, slice]], colour: tuple[int, int, int]) -> np.ndarray:
    image = np.zeros((256, 256, 4), np.uint8)
    for rows, columns in points:
        image[rows, columns] = (*colour, 255)
    return image


def boot(faces_left: bool, left: int = 60, top: int = 60, side: int = 120) -> np.ndarray:
    """An L, with the toe to one side."""
    third = side // 3
    shaft = slice(left + side - third, left + side) if faces_left else slice(left, left + third)
    whole = slice(left, left + side)
    rows = slice(top, top + side)
    sole = slice(top + third, top + side)
    return shape([(rows, shaft), (sole, whole)], (120, 80, 40))


def icons_folder(
    root: Path, icons: dict, aliases: dict | None = None, artist: str = "twemoji"
) -> None:
    """The four sets, of which one knows some icons."""
    for each in ARTISTS:
        folder = root / each
        folder.mkdir()
        known = icons if each == artist else {}
        state = {"icons": known, "aliases": aliases or {}, "width": 32, "height": 32}
        (folder / "icons.json").write_text(json.dumps(state), encoding="utf-8")
        (folder / "chars.json").write_text(json.dumps({"1f000": "red-fruit"}), encoding="utf-8")


def test_an_icon_is_drawn_as_large_as_its_own_square() -> None:
    icons = {
        "width": 32,
        "height": 32,
        "icons": {
            "disc": {"body": BLUE_DISC},
            "moved": {"body": BLUE_DISC, "left": 8, "top": 8, "width": 16, "height": 16},
        },
    }
    disc = rasterise(icons, "disc")
    assert disc.shape == (256, 256, 4)
    assert disc.dtype == np.uint8
    assert box_of(disc) == pytest.approx([64, 64, 191, 191], abs=2)
    assert tuple(disc[128, 128]) == (0x10, 0x40, 0xF0, 255), "RGBA, straight alpha"
    assert box_of(rasterise(icons, "moved")) == pytest.approx([0, 0, 255, 255], abs=2)


def test_a_picture_gets_the_box_of_the_other() -> None:
    wanted = boot(faces_left=True, left=40, top=90, side=130)
    given = boot(faces_left=True, left=10, top=10, side=200)
    found = fitted(given, wanted)
    assert found is not None
    assert box_of(found) == pytest.approx(box_of(wanted), abs=2)
    assert (opaque(found) == opaque(wanted)).mean() > 0.98
    assert found[100, 160, :3] == pytest.approx((120, 80, 40), abs=4)


def test_a_picture_is_turned_to_the_side_that_the_other_looks_to() -> None:
    wanted = boot(faces_left=True)
    for faces_left in (True, False):
        found = fitted(boot(faces_left), wanted)
        assert found is not None
        assert (opaque(found) == opaque(wanted)).mean() > 0.98


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (np.zeros((256, 256, 4), np.uint8), "nothing is drawn"),
        (shape([(slice(20, 230), slice(20, 230))], (9, 9, 9)), "a backdrop, not a thing"),
        (shape([(slice(100, 120), slice(20, 230))], (9, 9, 9)), "it lies, the other stands"),
        (
            shape([(slice(60, 66), slice(60, 180)), (slice(60, 180), slice(60, 66))], (9, 9, 9)),
            "thin lines are not a boot",
        ),
    ],
)
def test_what_is_too_unlike_is_left_out(given: np.ndarray, why: str) -> None:
    assert fitted(given, boot(faces_left=True)) is None, why


def beak(image: np.ndarray) -> np.ndarray:
    """The same with a lime spot."""
    spotted = image.copy()
    spotted[120:140, 150:190, :3] = LIME
    return spotted


def test_one_main_colour_becomes_the_wanted_one_and_others_stay() -> None:
    red = beak(ball())
    blue = turned(red, 225.0)
    assert dominant_hue(blue) == pytest.approx(225, abs=12)
    np.testing.assert_array_equal(blue[..., 3], red[..., 3])
    assert blue[130, 170, :3] == pytest.approx(LIME, abs=3)
    np.testing.assert_array_equal(turned(red, None), red)


def test_without_a_main_colour_nothing_is_turned() -> None:
    motley = boot(faces_left=True)
    motley[::3, :, :3], motley[1::3, :, :3] = (20, 60, 240), (20, 200, 60)
    np.testing.assert_array_equal(turned(motley, 120.0), motley)


def test_a_picture_is_turned_only_where_that_brings_it_nearer() -> None:
    apple = concepts()[0]  # red
    blue = turned(apple.image, 225.0)
    found = matched(blue, apple)
    assert found is not None
    assert np.linalg.norm(mean_colour(found) - mean_colour(apple.image)) < 12
    np.testing.assert_array_equal(matched(apple.image, apple), apple.image)


def test_colours_that_stay_far_apart_leave_a_picture_out() -> None:
    box_of_the_bee, grey = concepts()[1], box()
    grey[..., :3] = 20
    assert matched(box(), box_of_the_bee) is not None
    assert matched(grey, box_of_the_bee) is None


def test_unicodes_name_is_the_surest() -> None:
    apple = concepts()[0]
    assert names_of(apple, {"1f000": "red-fruit"})[0] == "red-fruit"
    assert names_of(apple, {}) == ["apple", "apple"]


def test_things_get_what_the_artists_have_alike(tmp_path: Path) -> None:
    square = '<rect x="5" y="5" width="22" height="22" fill="#1040f0"/>'
    icons_folder(tmp_path, {"red-fruit": {"body": BLUE_DISC}, "cat": {"body": square}})
    apple, bee, cat, *_ = things = concepts()
    load_artists(things, tmp_path)
    assert [len(each.drawn_by) for each in (apple, bee, cat)] == [1, 0, 0], "the last: a backdrop"
    drawn = apple.drawn_by[0]
    assert (drawn.name, drawn.hexcode) == (apple.name, apple.hexcode)
    assert drawn.image.shape == (64, 64, 4)
    assert box_of(drawn.image) == pytest.approx([edge / 4 for edge in box_of(apple.image)], abs=1)
    assert drawn.main_hue == pytest.approx(apple.main_hue, abs=12), "red as doodle's own"
    apple.coloured("green")
    assert drawn.coloured("green").shape == (64, 64, 4), "colours of its own picture"


def test_an_alias_is_followed(tmp_path: Path) -> None:
    icons_folder(tmp_path, {"kitty": {"body": BLUE_DISC}}, aliases={"cat": {"parent": "kitty"}})
    things = concepts()
    load_artists(things, tmp_path)
    assert len(things[2].drawn_by) == 1


def test_a_set_that_was_not_fetched_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"twemoji.*is missing; run `make doodle-data`"):
        load_artists(concepts(), tmp_path)


def test_another_shape_of_the_same_box_is_what_is_looked_for() -> None:
    assert fitted(ball(), box()) is not None


def test_icons_known_to_show_something_else_are_left_out(tmp_path: Path) -> None:
    icons_folder(tmp_path, {"cat": {"body": BLUE_DISC}}, artist="emojione")
    things = concepts()
    load_artists(things, tmp_path)
    assert not any(each.drawn_by for each in things)


def test_small_pictures_keep_their_colours_at_the_edge() -> None:
    shrunk = small(ball())
    assert shrunk.shape == (64, 64, 4)
    edge = (shrunk[..., 3] > 0) & (shrunk[..., 3] < 255)
    assert edge.any()
    assert np.abs(shrunk[edge][:, :3].astype(int) - RED[:3]).max() < 16, "straight, not darkened"
