"""The recogniser knows an object again wherever it lies, and its features mean what they say."""

import cv2
import numpy as np
import pytest

from tests.training.gallery import small_gallery
from training.doodle.features import (
    Recogniser,
    colour_layout,
    cut_out,
    edge_directions,
    foreground,
    on_white,
    paper_colour,
    to_lab,
)


@pytest.fixture(scope="module")
def gallery() -> Recogniser:
    return small_gallery()


def shifted(picture: np.ndarray, dx: float, dy: float) -> np.ndarray:
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return cv2.warpAffine(picture, move, (256, 256), borderValue=(255, 255, 255))


CHANGES = {
    "untouched": lambda render: on_white(render),
    "elsewhere": lambda render: shifted(on_white(render, 160), 37.4, -30.7),
    "small": lambda render: on_white(render, 90),
    "mirrored": lambda render: np.ascontiguousarray(on_white(render)[:, ::-1]),
    "blurred": lambda render: cv2.GaussianBlur(on_white(render), (0, 0), 1.5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_recogniser_knows_renders_again(gallery: Recogniser, change: str) -> None:
    ranks = [
        gallery.rank(CHANGES[change](render), name)
        for name, render in zip(gallery.names, gallery.renders, strict=True)
    ]
    assert ranks == [0] * len(gallery.names)


def test_empty_paper_is_recognised_as_nothing(gallery: Recogniser) -> None:
    empty = np.full((256, 256, 3), 250, np.uint8)
    assert not foreground(empty).any()
    assert cut_out(empty) is None
    assert np.isinf(gallery.distances(empty)).all()
    assert gallery.rank(empty, gallery.names[0]) == len(gallery.names)


def test_a_second_copy_of_a_render_does_not_count_as_another(gallery: Recogniser) -> None:
    names = [*gallery.names, "twin"]
    twins = Recogniser(names, [*gallery.renders, gallery.renders[0]])
    assert twins.rank(on_white(gallery.renders[0]), "twin") == 0
    assert twins.rank(on_white(gallery.renders[0]), names[0]) == 0


@pytest.mark.parametrize("paper", [(255, 255, 255), (240, 236, 228), (30, 40, 90)])
def test_foreground_is_found_on_paper_of_any_colour(paper: tuple[int, int, int]) -> None:
    picture = np.full((128, 128, 3), paper, np.uint8)
    cv2.rectangle(picture, (30, 40), (89, 99), (200, 60, 50), -1)
    assert tuple(paper_colour(picture)) == paper
    mask = foreground(picture)
    assert mask[45:95, 35:85].all()
    assert abs(int(mask.sum()) - 60 * 60) < 150


def test_foreground_of_an_outline_is_what_it_encloses_even_with_a_gap() -> None:
    picture = np.full((256, 256, 3), 255, np.uint8)
    cv2.ellipse(picture, (128, 128), (80, 60), 0, 4, 358, (20, 20, 20), 4)
    mask = foreground(picture)
    assert mask[128, 128]
    assert not mask[20, 20]
    assert abs(int(mask.sum()) / (np.pi * 82 * 62) - 1) < 0.05


def test_specks_are_no_object() -> None:
    picture = np.full((256, 256, 3), 255, np.uint8)
    picture[100:104, 100:104] = 0
    assert not foreground(picture).any()


def test_cut_out_keeps_proportions_on_grey() -> None:
    picture = np.full((256, 256, 3), 255, np.uint8)
    picture[40:60, 30:130] = (220, 30, 30)
    crop = cut_out(picture)
    assert crop is not None
    assert crop.shape == (64, 64, 3)
    reds = crop[..., 0] > 180
    assert np.ptp(np.flatnonzero(reds.any(axis=0))) > 4 * np.ptp(np.flatnonzero(reds.any(axis=1)))
    assert tuple(crop[2, 32]) == (128, 128, 128)


def test_edges_tell_upright_from_level_and_ignore_brightness() -> None:
    level = np.zeros((1, 64, 64, 3), np.uint8)
    level[:, 24:40] = 200
    upright = level.transpose(0, 2, 1, 3)
    faint = level // 2
    a, b, c = (edge_directions(crops)[0] for crops in (level, upright, faint))
    assert np.linalg.norm(a) == pytest.approx(1, abs=1e-3)
    assert a @ b < 0.3
    assert a @ c > 0.95


def test_colour_layout_is_at_distance_one_for_sixty_lab_units_everywhere() -> None:
    dark = np.full((1, 64, 64, 3), 60, np.uint8)
    light = np.full((1, 64, 64, 3), 200, np.uint8)
    gap = abs(float(to_lab(light[0])[0, 0, 0] - to_lab(dark[0])[0, 0, 0]))
    distance = np.linalg.norm(colour_layout(light)[0] - colour_layout(dark)[0])
    assert distance == pytest.approx(gap / 60, rel=1e-3)
