"""Scenes: repeatable, laid out as their captions say, with every background."""

import numpy as np
import pytest

from tests.training.things import concepts
from training.doodle import scenes
from training.doodle.layout import layout_of
from training.doodle.scenes import BACKGROUNDS, CANONICAL, SIZE_PX, WHITE, Background, Placed, Scene
from training.doodle.vocabulary import NUMBERS, SIDES

THINGS = concepts()


def test_the_same_dice_give_the_same_scene() -> None:
    for sample in (scenes.sample_canonical, scenes.sample_sketched):
        first, second = (sample(np.random.default_rng(3), THINGS) for _ in range(2))
        assert first == second
        np.testing.assert_array_equal(scenes.render(first), scenes.render(second))


def test_text_alone_has_one_layout_for_each_number_of_things() -> None:
    seen = set()
    for seed in range(300):
        scene = scenes.sample_canonical(np.random.default_rng(seed), THINGS)
        places = {(thing.x, thing.y, thing.size) for thing in scene.objects}
        aside = [
            {place}
            for place, side in zip(CANONICAL[2], SIDES, strict=True)
            if side in scene.caption
        ]
        assert places == (aside[0] if aside else set(CANONICAL[len(scene.objects)]))
        assert [thing.x for thing in scene.objects] == sorted(thing.x for thing in scene.objects)
        assert not scene.is_background_drawn
        seen.add(len(scene.objects))
    assert seen == {0, 1, 2, 3, 4}


def test_loosely_named_scenes_show_some_things_as_others_and_name_not_all() -> None:
    found = [scenes.sample_sketched(np.random.default_rng(seed), THINGS) for seed in range(400)]
    loose = [s for s in found if scenes.UNNAMED in s.nouns or any(s.drawn_as)]
    assert 0.1 < len(loose) / len(found) < 0.3
    assert any(scenes.UNNAMED in scene.nouns and not any(scene.drawn_as) for scene in loose)
    for scene in loose:
        unnamed = [i for i, noun in enumerate(scene.nouns) if noun == scenes.UNNAMED]
        others = [i for i, other in enumerate(scene.drawn_as) if other is not None]
        assert scene.caption
        assert len(others) <= 1
        for index in others:
            assert index not in unnamed
            concepts_shown = [thing.concept for thing in scene.objects]
            assert scene.drawn_as[index] not in concepts_shown
            assert concepts_shown.count(concepts_shown[index]) == 1
            assert scene.objects[index].colour is None
            sizes = [scene.objects[i].size for i in (*unnamed, index)]
            assert scene.objects[index].size == max(sizes), "the largest of those without a name"
        for i, thing in enumerate(scene.objects):
            alike = {
                noun == scenes.UNNAMED
                for noun, other in zip(scene.nouns, scene.objects, strict=True)
                if other.concept is thing.concept
            }
            assert alike == {i in unnamed}
        told = layout_of(scene)[: len(scene.objects), 0]
        assert all((told[i] == -1) == (i in unnamed) for i in range(len(scene.objects)))


def test_a_background_that_is_neither_named_nor_drawn_is_white() -> None:
    phrases = {phrase for background in BACKGROUNDS for phrase in background.phrases}
    for seed in range(300):
        scene = scenes.sample_sketched(np.random.default_rng(seed), THINGS)
        is_named = any(phrase and phrase in scene.caption for phrase in phrases)
        assert is_named or scene.is_background_drawn or scene.background == WHITE


def test_a_first_thing_can_be_asked_for() -> None:
    for sample in (scenes.sample_canonical, scenes.sample_sketched):
        scene = sample(np.random.default_rng(1), THINGS, THINGS[4])
        assert THINGS[4] in [thing.concept for thing in scene.objects]


def test_the_first_thing_may_come_several_times_and_stands_beside_its_like() -> None:
    for sample in (scenes.sample_canonical, scenes.sample_sketched):
        found = [sample(np.random.default_rng(seed), THINGS, THINGS[4]) for seed in range(600)]
        several = [scene for scene in found if scene.nouns.count(0) > 1 or scene.nouns.count(1) > 1]
        assert len(several) > 15
        assert any("two foxes" in scene.caption for scene in several)
        mixed = [scene for scene in several if len(set(scene.nouns)) > 1]
        assert mixed
        for scene in several:
            of_fox = {thing.colour for thing in scene.objects if thing.concept is THINGS[4]}
            assert len(of_fox) == 1, "all in one colour"


def test_an_empty_caption_and_an_empty_board_are_white_paper() -> None:
    found = [scenes.sample_canonical(np.random.default_rng(seed), THINGS) for seed in range(300)]
    unsaid = [scene for scene in found if not scene.caption]
    assert unsaid
    for scene in unsaid:
        assert (scene.objects, scene.background) == ((), WHITE)
        assert scenes.render(scene).min() == 255


def test_text_alone_asks_for_up_to_four_of_a_thing_and_nothing_else() -> None:
    alone = []
    for seed in range(600):
        scene = scenes.sample_canonical(np.random.default_rng(seed), THINGS, THINGS[4])
        if len(scene.objects) > 1 and all(thing.concept is THINGS[4] for thing in scene.objects):
            alone.append(len(scene.objects))
            assert f"{NUMBERS[len(scene.objects)]} " in scene.caption
            assert scene.nouns == (0,) * len(scene.objects)
    assert alone.count(3) >= 8, "a third of 6 %"
    assert alone.count(4) >= 8


def test_some_things_are_drawn_small() -> None:
    sizes = [
        thing.size
        for seed in range(400)
        for thing in scenes.sample_sketched(np.random.default_rng(seed), THINGS).objects
    ]
    assert 40 <= min(sizes) < 50
    assert 0.02 < np.mean(np.array(sizes) < 60) < 0.2


def test_a_rooms_floor_is_painted_where_it_is_drawn() -> None:
    room = next(each for each in BACKGROUNDS if each.kind == "room")
    for seed in range(40):
        drawn = scenes.drawn_at(np.random.default_rng(seed), room)
        column = scenes.paint_background(drawn)[:, 128, 2]
        assert abs(int(np.diff(column).argmin()) - int(drawn.horizon * SIZE_PX)) <= 1


def test_the_ground_begins_with_its_own_colour_along_a_bent_horizon() -> None:
    painted = scenes.paint_background(Background("grass", ("",)))
    for x in (0, 64, 128):
        column = painted[:, x]
        first = int(np.abs(np.diff(column[:, 2])).argmax()) + 2
        np.testing.assert_allclose(column[first], (134, 200, 92), atol=3)
        assert (np.diff(column[first:, 1]) <= 0).all(), "and darkens downwards"


def test_things_of_a_sketched_scene_stay_on_the_canvas_and_apart() -> None:
    for seed in range(200):
        scene = scenes.sample_sketched(np.random.default_rng(seed), THINGS)
        assert scene.objects or scene.is_background_drawn or scene.caption
        assert len(scene.objects) <= 4
        for index, thing in enumerate(scene.objects):
            assert 0.4 * thing.size <= thing.x <= SIZE_PX - 0.4 * thing.size
            assert 0.4 * thing.size <= thing.y <= SIZE_PX - 0.4 * thing.size
            for other in scene.objects[:index]:
                assert scenes._overlap(thing, other) < 0.12


@pytest.mark.parametrize("background", [WHITE, *BACKGROUNDS], ids=lambda b: b.kind)
def test_every_background_is_painted(background: Background) -> None:
    painted = scenes.paint_background(background)
    assert painted.shape == (SIZE_PX, SIZE_PX, 3)
    assert painted.dtype == np.float32
    assert painted.min() >= 0
    assert painted.max() <= 255
    painted[:] = 7
    again = scenes.paint_background(background)
    assert (again != 7).any(), "what is painted on one must not be on the next"


def test_the_horizon_moves() -> None:
    high, low = (scenes.paint_background(Background("sea", ("",), h)) for h in (0.4, 0.8))
    row = int(0.6 * SIZE_PX)
    assert high[row, 0, 2] > high[row, 0, 0] + 60, "sea"
    np.testing.assert_array_equal(high[:90], low[:90])
    assert (high[row] != low[row]).any()


def test_a_thing_lies_where_it_was_placed() -> None:
    ball = Placed(THINGS[0], 64, 192, 100)
    picture = scenes.render(Scene((ball,), WHITE, "")).astype(int)
    red = (picture[..., 0] - picture[..., 1]) > 80
    rows, columns = np.nonzero(red)
    assert abs(np.ptp(rows) - 78) <= 3, "the ball fills 201 of 256 pixels of its picture"
    assert abs((columns.min() + columns.max()) / 2 - 64) <= 1.5
    assert abs((rows.min() + rows.max()) / 2 - 192) <= 1.5
    assert (picture[:64] == 255).all()


@pytest.mark.parametrize("is_flipped", [False, True])
def test_a_flipped_thing_is_mirrored(is_flipped: bool) -> None:
    placed = Placed(THINGS[0], 128, 128, 256, is_flipped=is_flipped)
    picture = scenes.render(Scene((placed,), WHITE, ""))
    spot = picture[60:130, 60:196].min(axis=-1) > 240
    left, right = spot[:, :68].sum(), spot[:, 68:].sum()
    assert (right > 20 * left) if is_flipped else (left > 20 * right)


def test_a_stretched_thing_is_narrower_and_a_turned_one_lies() -> None:
    def extent(placed: Placed) -> tuple[int, int]:
        mask = scenes.place_layer(placed)[..., 3] > 128
        return (int(mask.any(axis=0).sum()), int(mask.any(axis=1).sum()))

    upright = extent(Placed(THINGS[0], 128, 128, 200, stretch=(0.5, 1.0)))
    assert abs(upright[0] / upright[1] - 0.5) < 0.03
    lying = extent(Placed(THINGS[0], 128, 128, 200, stretch=(0.5, 1.0), angle=np.pi / 2))
    assert abs(lying[1] / lying[0] - 0.5) < 0.03


def test_later_things_lie_in_front() -> None:
    ball, box = Placed(THINGS[0], 128, 128, 160), Placed(THINGS[1], 128, 128, 160)
    top = scenes.render(Scene((ball, box), WHITE, ""))[140, 128]
    assert tuple(top) == (40, 160, 70)


def test_a_blue_apple_is_blue() -> None:
    def colour_of(word: str | None) -> list[int]:
        placed = Placed(THINGS[0], 128, 128, 200, colour=word)
        return scenes.render(Scene((placed,), WHITE, ""))[150, 150].tolist()

    red, blue = colour_of(None), colour_of("blue")
    assert red[0] > red[2] + 100
    assert blue[2] > blue[0] + 100
