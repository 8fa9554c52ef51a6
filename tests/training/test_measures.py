"""Each measure on arrays whose answer is known."""

import json

import cv2
import numpy as np
import pytest

from tests.training.gallery import small_gallery
from training.doodle.drawings import all_drawings, render
from training.doodle.features import foreground, on_white, to_lab
from training.doodle.measures import (
    Case,
    answer,
    behind,
    both_sides,
    calm,
    far_change,
    iou,
    region_distance,
    sharpness,
    summary,
)
from training.doodle.painters import Paste, empty_board, identity, side_by_side

WHITE = np.full((256, 256, 3), 255, np.uint8)


def square(x: int, y: int, side: int) -> np.ndarray:
    mask = np.zeros((256, 256), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def painted(mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.where(mask[..., None], np.array(colour, np.uint8), WHITE)


def test_iou_of_known_masks() -> None:
    a = square(10, 10, 100)
    assert iou(a, a) == 1.0
    assert iou(a, square(150, 150, 50)) == 0.0
    assert iou(a, square(60, 10, 100)) == pytest.approx(50 / 150)
    nothing = np.zeros_like(a)
    assert iou(nothing, nothing) == 1.0


def test_region_distance_is_zero_for_the_sketch_itself_and_the_lab_gap_for_another_colour() -> None:
    sketch = painted(square(60, 60, 120), (119, 119, 119))
    assert region_distance(sketch, sketch) == 0.0
    lighter = painted(square(60, 60, 120), (185, 185, 185))
    assert region_distance(sketch, lighter) == pytest.approx(25.1, abs=0.5)
    assert region_distance(WHITE, lighter) is None


def test_far_change_counts_only_what_lies_beyond_32_px() -> None:
    stroke = square(100, 100, 20)
    near, far = WHITE.copy(), WHITE.copy()
    near[90:130, 90:130] = 0
    far[:20] = 55
    assert far_change(WHITE, near, stroke) == 0.0
    beyond = 256 * 256 - (20 * 20 + 4 * 20 * 32 + np.pi * 32**2)
    assert far_change(WHITE, far, stroke) == pytest.approx(200 * 20 * 256 / beyond, rel=0.01)
    assert far_change(WHITE, far, np.ones((256, 256), bool)) is None


def test_identity_is_calm_and_a_painter_that_changes_all_is_not() -> None:
    stroke = square(20, 20, 10)
    case = Case("a", "a", "", WHITE, 0)
    more = painted(stroke, (0, 0, 0))

    def nervous(prompt, sketch, strength=0.6, seed=0):
        return np.full((256, 256, 3), 255 if sketch is WHITE else 245, np.uint8)

    assert calm(identity, [(case, more)], [stroke]) == 0.0
    assert calm(nervous, [(case, more)], [stroke]) == pytest.approx(10.0)


def test_a_soft_edge_is_less_sharp_however_much_of_the_paper_is_looked_at() -> None:
    sharp = np.full((256, 256, 3), 255, np.uint8)
    sharp[64:192, 64:192] = (200, 30, 40)
    seen = [sharpness(blurred, foreground(blurred)) or 0.0 for blurred in softened(sharp)]
    assert seen == sorted(seen, reverse=True)
    assert seen[0] > 2 * seen[-1] > 0
    assert sharpness(sharp, np.zeros((256, 256), bool)) is None
    flat = np.full((256, 256, 3), 90, np.uint8)
    assert sharpness(flat, np.ones((256, 256), bool)) == 0


def softened(picture: np.ndarray) -> list[np.ndarray]:
    return [picture, *(cv2.GaussianBlur(picture, (0, 0), sigma) for sigma in (1, 2, 4))]


def test_sharpness_is_lightness_per_pixel() -> None:
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (64, 256, 3))
    lightness = to_lab(np.ascontiguousarray(ramp))[..., 0]
    slope = np.gradient(lightness, axis=1)
    found = sharpness(np.ascontiguousarray(ramp), np.ones((64, 256), bool))
    assert found == pytest.approx(np.sqrt(np.square(slope).mean()), rel=1e-4)


def test_a_painter_that_knows_the_words_is_recognised_and_identity_needs_a_sketch() -> None:
    gallery = small_gallery()
    by_name = dict(zip(gallery.names, gallery.renders, strict=True))

    def knowing(prompt, sketch, strength=0.6, seed=0):
        return on_white(by_name[prompt])

    cases = [Case(name, name, name, None, 0) for name in gallery.names[:12]]
    known = summary(answer(knowing, cases, gallery))
    assert known.pop("sharpness")
    assert known == {"num": 12, "top1": 100.0, "top5": 100.0, "iou": None, "lab": None}
    assert summary(answer(identity, cases, gallery))["top5"] == 0.0


def test_baselines_on_sketches_that_are_the_renders() -> None:
    gallery = small_gallery()
    sketches = {d.label: render(d.strokes, 256) for d in all_drawings()}
    cases = [Case(name, name, "", sketches[name], 0) for name in ("red apple", "owl", "bus")]
    own = summary(answer(identity, cases, gallery))
    assert own.pop("sharpness")
    assert own == {"num": 3, "top1": 100.0, "top5": 100.0, "iou": 1.0, "lab": 0.0}
    pasted = summary(answer(Paste(gallery), cases, gallery))
    assert pasted["top1"] == 100.0
    assert pasted["iou"] is not None
    assert pasted["iou"] > 0.93
    assert (Paste(gallery)("", empty_board()) == 255).all()


def test_both_halves_must_show_their_own_thing() -> None:
    gallery = small_gallery()
    by_name = dict(zip(gallery.names, gallery.renders, strict=True))

    def side(name: str) -> np.ndarray:
        return on_white(by_name[name], 110)[:, 64:192]

    board = np.concatenate([side("red apple"), side("owl")], axis=1)

    def pair(left: str, right: str) -> tuple[Case, Case]:
        return Case(left, left, "", board, 0), Case(right, right, "", board, 0)

    right_way, wrong_way = pair("red apple", "owl"), pair("owl", "red apple")
    found = both_sides(identity, [right_way, wrong_way], gallery)
    assert found["both_top1"] == 50.0
    assert found["one_top1"] == 50.0
    half_right = both_sides(identity, [pair("red apple", "red apple")], gallery)
    assert (half_right["left_top1"], half_right["right_top1"]) == (100.0, 0.0)
    assert both_sides(Paste(gallery), [right_way], gallery)["both_top1"] == 100.0


def test_things_apart_are_found_from_left_to_right() -> None:
    mask = square(10, 50, 40) | square(120, 90, 30)
    assert side_by_side(mask) == [(10, 50), (120, 150)]
    assert side_by_side(np.zeros((256, 256), bool)) == []


def test_results_are_plain_json() -> None:
    gallery = small_gallery()
    case = Case("red apple", "red apple", "an apple", on_white(gallery.renders[0]), 0)
    json.dumps(summary(answer(identity, [case], gallery)))


def test_the_scene_behind_a_sketch_is_judged_like_an_answer() -> None:
    gallery = small_gallery()
    scene = on_white(gallery.renders[0])
    case = Case("red apple", "red apple", "", painted(square(60, 60, 130), (200, 30, 30)), 0, scene)
    (outcome,) = behind([case, Case("owl", "owl", "", None, 0)], gallery)
    assert outcome.rank == 0
    assert outcome.iou is not None
    assert 0.5 < outcome.iou < 0.95
