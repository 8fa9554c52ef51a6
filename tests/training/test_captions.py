"""Captions name what stands in the scene, in order, and never say more than is there."""

import re
from dataclasses import dataclass

import numpy as np

from tests.training.things import concepts
from training.doodle.captions import name_object, style, write_caption
from training.doodle.data import Concept
from training.doodle.vocabulary import ABOVE, BELOW, PRAISE, SIDES, STYLES


@dataclass(frozen=True)
class Stood:
    """A thing with a place."""

    concept: Concept
    x: float
    colour: str | None = None
    y: float = 128


APPLE, BEE, CAT, *_ = concepts()
UNSHOWN = re.compile("|".join(map(re.escape, [*(f", {each}" for each in STYLES), *PRAISE])))


def captions(things: list[Stood], phrase: str = "", has_sketch: bool = False) -> set[str]:
    """Without styles and adjectives that say nothing."""
    found = (
        write_caption(np.random.default_rng(seed), things, phrase, has_sketch).text
        for seed in range(400)
    )
    return {text for text in found if not UNSHOWN.search(text)}


def test_one_thing_is_named_with_and_without_article_and_by_its_synonym() -> None:
    assert captions([Stood(APPLE, 128)]) == {"apple", "an apple", "fruit", "a fruit"}


def test_without_a_sketch_the_order_and_the_colour_are_always_said() -> None:
    for text in captions([Stood(CAT, 186), Stood(BEE, 70, "blue")]):
        first, second = re.split(r" (?:and|next to|beside|near|with) ", text)
        assert first.removeprefix("a ") == "blue bee"
        assert second.removeprefix("a ") in ("cat", "kitty")


def test_places_are_said_of_the_things_that_stand_there() -> None:
    found = captions([Stood(CAT, 186), Stood(BEE, 70)], has_sketch=True)
    placed = [text for text in found if "left" in text]
    assert placed
    for text in placed:
        left, right = text.replace(", ", " and ").split(" and ")
        assert left.endswith("bee on the left")
        assert right.endswith(("cat on the right", "kitty on the right"))
    assert any(text.split(" and ")[-1].endswith("bee") for text in found), "order may be free"


def test_no_side_is_said_of_things_that_do_not_stand_on_either() -> None:
    for places in ((60, 80), (110, 150), (180, 240)):
        found = captions([Stood(BEE, places[0]), Stood(CAT, places[1])], has_sketch=True)
        assert not any(side in text for side in SIDES for text in found)


def test_beside_a_sketch_one_thing_has_the_side_that_it_stands_on() -> None:
    for x, side, other in ((60, *SIDES), (196, *reversed(SIDES))):
        found = captions([Stood(BEE, x)], has_sketch=True)
        assert {f"bee {side}", f"a bee {side}"} < found
        assert not any(other in text for text in found)
    assert captions([Stood(BEE, 130)], has_sketch=True) == {"bee", "a bee"}


def test_prepositions_are_true_in_the_order_of_naming() -> None:
    above_or_below = "|".join((*ABOVE, *BELOW))
    said = set()
    for cat_x, bee_x in ((100, 140), (140, 100)):
        things = [Stood(CAT, cat_x, y=60), Stood(BEE, bee_x, y=200)]
        for text in captions(things, has_sketch=True):
            if found := re.search(rf"(cat|kitty|bee) ({above_or_below}) ", text):
                assert (found[2] in BELOW) == (found[1] == "bee")
                said.add(found[2])
    assert said == {*ABOVE, *BELOW}
    side_by_side = captions([Stood(CAT, 60, y=60), Stood(BEE, 200, y=100)], has_sketch=True)
    assert not any(re.search(f" ({above_or_below}) ", text) for text in side_by_side)


def test_the_same_thing_several_times_is_counted() -> None:
    found = captions([Stood(BEE, 48), Stood(BEE, 128), Stood(BEE, 208)])
    assert found == {"three bees"}
    some = captions([Stood(APPLE, 48), Stood(BEE, 128), Stood(BEE, 208)])
    assert "an apple and two bees" in some
    assert "apple and two bees" in some
    assert all(text.endswith(" and two bees") for text in some)
    other = captions([Stood(BEE, 70, "red"), Stood(BEE, 186)])
    assert other == {"a red bee and a bee", "red bee and bee"} | {
        f"{first} {word} {second}"
        for word in ("next to", "beside", "near", "with")
        for first, second in (("a red bee", "a bee"), ("red bee", "bee"))
    }


def test_of_several_alike_no_side_is_said() -> None:
    things = [Stood(BEE, 48), Stood(APPLE, 128), Stood(BEE, 208)]
    assert not any(side in text for text in captions(things, has_sketch=True) for side in SIDES)


def test_one_thing_without_a_sketch_is_told_where_to_stand() -> None:
    for side in (0, 1):
        said = {
            write_caption(np.random.default_rng(s), [Stood(BEE, 70)], "at night", False, side).text
            for s in range(60)
        }
        assert f"a bee {SIDES[side]} at night" in said
        assert all(SIDES[side] in text for text in said)


def test_a_background_may_stand_alone() -> None:
    assert captions([], "pink background") == {"pink background"}
    assert write_caption(np.random.default_rng(0), [], "at night", False).nouns == ()
    assert captions([]) <= {"", *STYLES}


def test_styles_and_praise_come_now_and_then() -> None:
    dice = np.random.default_rng(1)
    found = [style(dice) for _ in range(2000)]
    assert 0.05 < np.mean([text != "" for text in found]) < 0.15
    assert max(text.count(",") for text in found) > 10, "longer than the places that words have"
    names = [name_object(dice, Stood(BEE, 128), has_sketch=False) for _ in range(1000)]
    assert 0.03 < np.mean([name.split()[0] in PRAISE for name in names]) < 0.1


def test_the_background_is_said_last() -> None:
    assert captions([Stood(BEE, 128)], "on grass") == {
        "bee on grass",
        "bee, on grass",
        "a bee on grass",
        "a bee, on grass",
    }
    assert captions([Stood(BEE, 128)], "pink background") == {
        "bee, pink background",
        "a bee, pink background",
    }


def test_a_held_out_word_is_never_said() -> None:
    thing = Concept(0, "dog", "dog", "1F436", APPLE.image, ("puppy",), ("pooch",))
    dice = np.random.default_rng(0)
    said = {name_object(dice, Stood(thing, 0), has_sketch=True).split()[-1] for _ in range(200)}
    assert said == {"dog", "puppy"}


def test_each_thing_knows_its_noun() -> None:
    things = [Stood(CAT, 186), Stood(BEE, 70), Stood(APPLE, 30)]
    for seed in range(60):
        caption = write_caption(np.random.default_rng(seed), things, "", has_sketch=True)
        named = re.split(r", | and ", caption.text)
        words = [("cat", "kitty"), ("bee",), ("apple", "fruit")]
        for noun, names in zip(caption.nouns, words, strict=True):
            assert any(name in named[noun] for name in names)
    both = write_caption(np.random.default_rng(0), [Stood(BEE, 70), Stood(BEE, 186)], "", False)
    assert (both.text, both.nouns) == ("two bees", (0, 0))
    mixed = [Stood(BEE, 70), Stood(CAT, 100), Stood(BEE, 186)]
    assert write_caption(np.random.default_rng(0), mixed, "", False).nouns == (0, 1, 0)
