"""What the evaluation asks for is told apart from all that captions say."""

from dataclasses import replace

import pytest

from tests.training.things import concepts
from training.doodle.captions import of_no_thing
from training.doodle.data import Concept, is_held_out, shared_tags
from training.doodle.kept import IDLE_ASKED, kept_words, sayable, wider_asked, wider_words

TAGS = {
    "apple": ("fruit", "nature", "blue", "farm", "sweet", "win"),
    "bee": ("animal", "nature", "sweet", "farm"),
    "cat": ("animal", "pet", "creature", "farm", "kitten", "win", "cats"),
    "owl": ("animal", "animals", "nature", "creature", "kitten", "cats"),
    "fox": ("animal", "animals", "pet", "creature", "kitten", "cats", "win"),
}


def things() -> list[Concept]:
    found = [replace(concept, shared_tags=TAGS[concept.label]) for concept in concepts()]
    found[0].held_out_synonyms = ("winning",)
    return found


def test_shared_tags_are_those_of_two_things_or_more() -> None:
    names = {"apple": ("apple",), "cat": ("cat",)}
    entries = {"apple": {"tags": ["Food", "red", "a b", "x2"]}, "cat": {"tags": ["food", "a b"]}}
    assert shared_tags(names, entries) == {"apple": ("food",), "cat": ("food",)}


def test_wider_words_are_tags_of_three_things_that_are_no_form_of_a_name() -> None:
    wider = wider_words(things())
    assert wider["apple"] == ("nature", "farm", "win")  # not fruit, a synonym; nor blue, sweet
    assert wider["cat"] == ("animal", "creature", "farm", "kitten", "win")  # pet: of two; cats
    assert wider["bee"] == ("animal", "nature", "farm")


def test_a_fifth_of_them_is_asked_for_but_forms_of_what_captions_say() -> None:
    asked = wider_asked(things())
    assert all(is_held_out(word) for word in ("farm", "creature", "kitten", "animals"))
    assert not is_held_out("animal")
    assert asked["cat"] == ("creature", "farm"), "captions say kitty"
    assert asked["owl"] == ("creature",), "captions say animal"


@pytest.mark.parametrize(
    "word",
    [
        *("winning", "win", "wins", "winnings", "something", "nothing", "weird", "weirdly"),
        *("creature", "creatures", "farming", "cat", "cats", "apples", "kitty", "blue", "grass"),
        *("x2", "a b", "girls"),
    ],
)
def test_what_is_asked_for_in_any_form_and_names_are_never_said(word: str) -> None:
    assert not sayable(things(), {"girl"})(word)


@pytest.mark.parametrize("word", ["meow", "hope", "animal", "drawn", "kin"])
def test_all_else_may_be_said(word: str) -> None:
    assert sayable(things())(word)


def test_words_that_mean_nothing_are_kept_whole_and_word_by_word() -> None:
    kept = kept_words(things())
    assert {"winning", "creature", "my", "blorf", "???"} <= kept
    assert not kept & of_no_thing(), "captions say these"
    assert not {text for text in IDLE_ASKED if text in of_no_thing()}
