"""Sketches: every hand draws the thing at its place, repeatably, and a board may stay empty."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.things import concepts
from training.doodle import sketch
from training.doodle.features import foreground
from training.doodle.hands import HANDS, Hand, Sheet
from training.doodle.measures import iou
from training.doodle.scenes import BACKGROUNDS, WHITE, Placed, Scene, render

THINGS = concepts()
BALL = Placed(THINGS[0], 110, 140, 180)


@pytest.mark.parametrize("hand", [hand for hand, _ in HANDS], ids=lambda hand: hand.__name__)
def test_each_hand_draws_the_thing_at_its_place(hand: Hand) -> None:
    truth = foreground(render(Scene((BALL,), WHITE, "")))
    overlaps = []
    for seed in range(8):
        canvas = np.full((256, 256, 3), 255, np.uint8)
        hand(Sheet(np.random.default_rng(seed), canvas, BALL))
        assert (canvas != 255).any()
        overlaps.append(iou(foreground(canvas), truth))
    assert np.median(overlaps) > 0.55


def test_the_hands_are_chosen_by_shares_that_add_up() -> None:
    assert sum(share for _, share in HANDS) == pytest.approx(1)


def test_the_same_dice_give_the_same_sketch_and_others_another() -> None:
    scene = Scene((BALL,), WHITE, "")
    first, again, other = (sketch.degrade(np.random.default_rng(s), scene) for s in (5, 5, 6))
    assert first.shape == (256, 256, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_what_is_drawn_in_place_of_a_thing_is_on_the_board() -> None:
    box = THINGS[1]
    loose = Scene((BALL,), WHITE, "", drawn_as=(box,))
    plain = Scene((replace(BALL, concept=box),), WHITE, "")
    for seed in range(4):
        drawn, as_box = (sketch.degrade(np.random.default_rng(seed), s) for s in (loose, plain))
        np.testing.assert_array_equal(drawn, as_box)


def test_without_objects_the_board_is_empty_paper() -> None:
    shades = set()
    for seed in range(60):
        board = sketch.degrade(np.random.default_rng(seed), Scene((), WHITE, ""))
        assert (board == board[0, 0]).all()
        assert board.min() >= 255 - 22
        shades.add(tuple(int(value) for value in board[0, 0]))
    assert (255, 255, 255) in shades
    assert len(shades) > 1, "paper may be off-white"


def test_colours_are_wrong_but_near() -> None:
    sheet = Sheet(np.random.default_rng(0), np.zeros((256, 256, 3), np.uint8), BALL)
    drawn = np.array([sheet.colour(np.array([224.0, 40.0, 40.0])) for _ in range(100)])
    assert len({tuple(colour) for colour in drawn.tolist()}) > 10
    assert (drawn[:, 0] > drawn[:, 1] + 60).mean() > 0.95


@pytest.mark.parametrize("background", BACKGROUNDS[:9], ids=lambda b: b.kind)
def test_a_drawn_background_covers_paper_with_its_colours(background) -> None:
    scene = Scene((), background, "", is_background_drawn=True)
    boards = [sketch.degrade(np.random.default_rng(seed), scene) for seed in range(6)]
    truth = render(scene).astype(float).mean(axis=(0, 1))
    assert all((board != 255).any(axis=-1).mean() > 0.1 for board in boards)
    full = [board for board in boards if (board != 255).any(axis=-1).mean() > 0.99]
    assert full
    assert min(np.abs(board.mean(axis=(0, 1)) - truth).mean() for board in full) < 25


def test_an_unfinished_object_lacks_one_side_only() -> None:
    drawn = render(Scene((BALL,), WHITE, ""))
    blank = np.full_like(drawn, 255)
    left = drawn.copy()
    sketch.rub_out(np.random.default_rng(1), left, blank, BALL)
    before, after = (int((picture != 255).any(axis=-1).sum()) for picture in (drawn, left))
    assert 0.3 * before < after < before


def test_the_picture_follows_the_hand() -> None:
    scene = Scene((BALL,), WHITE, "")
    straight, bent = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        sheet = Sheet(rng, np.full((256, 256, 3), 255, np.uint8), BALL)
        drawn = sheet.silhouette()
        straight.append(iou(drawn, foreground(render(scene))))
        bent.append(iou(drawn, foreground(render(scene, [sheet.bend]))))
    assert np.mean(bent) > np.mean(straight) + 0.03
    assert np.min(bent) > 0.9


def test_each_object_is_told_how_it_was_drawn() -> None:
    other = Placed(THINGS[1], 60, 60, 80)
    scene = Scene((BALL, other), WHITE, "")
    board, bends = sketch.draw(np.random.default_rng(3), scene)
    np.testing.assert_array_equal(board, sketch.degrade(np.random.default_rng(3), scene))
    assert len(bends) == 2
    assert (render(scene, bends) != render(scene)).any()


def test_a_bend_is_the_same_at_any_size() -> None:
    bend = Sheet(np.random.default_rng(2), np.zeros((256, 256, 3), np.uint8), BALL).bend
    same, large = bend.at(64), bend.at(256)
    np.testing.assert_allclose(same.matrix, bend.matrix, rtol=1e-5)
    np.testing.assert_array_equal(same.shift[0], bend.shift[0])
    corners = np.array([[0, 0, 1], [64, 64, 1], [12, 50, 1]], float).T - [[0.5], [0.5], [0]]
    wide = corners * [[4], [4], [1]] + [[1.5], [1.5], [0]]  # the same places, centres of pixels
    np.testing.assert_allclose(large.matrix @ wide, bend.matrix @ corners, atol=1e-3)
    assert large.shift[0].mean() == pytest.approx(4 * bend.shift[0].mean(), rel=0.05)


def test_a_share_of_the_wobble_keeps_place_and_proportions() -> None:
    bend = Sheet(np.random.default_rng(2), np.zeros((256, 256, 3), np.uint8), BALL).bend
    eased = bend.eased(0.25)
    np.testing.assert_array_equal(eased.matrix, bend.matrix)
    for kept, whole in zip(eased.shift, bend.shift, strict=True):
        np.testing.assert_allclose(kept, whole / 4)


def boxes_for_balls() -> Placed:
    """The ball as an artist sees it who draws a box in its place."""
    ball, box = THINGS[0], THINGS[1]
    return replace(BALL, concept=replace(ball, drawn_by=(replace(ball, image=box.image),)))


def test_now_and_then_another_artists_picture_is_drawn() -> None:
    board = Scene((boxes_for_balls(),), WHITE, "")
    truths = [foreground(render(Scene((each,), WHITE, ""))) for each in (BALL, square_ball())]
    own = 0
    for seed in range(60):
        drawn = foreground(sketch.degrade(np.random.default_rng(seed), board))
        as_ball, as_box = (iou(drawn, truth) for truth in truths)
        own += as_ball > as_box
    assert 15 < own < 45, "half of the time each"


def square_ball() -> Placed:
    return replace(BALL, concept=THINGS[1])


def test_a_thing_that_no_other_artist_has_is_drawn_by_the_same_dice() -> None:
    """The evaluation's questions stay the same: its things have no other artists."""
    scene = Scene((BALL,), WHITE, "")
    rng = np.random.default_rng(4)
    sketch.degrade(rng, scene)
    again = np.random.default_rng(4)
    assert sketch._as_another_draws(again, BALL) is BALL
    sketch.degrade(again, scene)
    assert rng.random() == again.random()


def test_a_colour_is_drawn_by_those_who_can() -> None:
    """A picture of many colours cannot be had in one: then doodle's own is drawn."""
    motley = np.random.default_rng(0).integers(0, 256, (256, 256, 4)).astype(np.uint8)
    motley[..., 3] = 255
    concept = replace(THINGS[0], drawn_by=(replace(THINGS[0], image=motley),))
    for colour, may_differ in ((None, True), ("blue", False)):
        placed = replace(BALL, concept=concept, colour=colour)
        drawn = [
            sketch._as_another_draws(np.random.default_rng(seed), placed) for seed in range(20)
        ]
        assert any(each is not placed for each in drawn) == may_differ
