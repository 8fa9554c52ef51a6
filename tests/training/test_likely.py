"""Likely names: nouns that the teachers are sure of, and never what the evaluation asks for."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from tests.training.things import concepts
from training.doodle import captions, likely
from training.doodle.data import Concept
from training.doodle.lexicon import Lexicon
from training.doodle.nearness import Words
from training.doodle.scenes import Placed
from training.doodle.vocabulary import NO_THINGS

APPLE, BEE, CAT, *_ = THINGS = concepts()
TOKENIZER = cast("CLIPTokenizer", None)


class Dictionary:
    """Every word is a noun but those that are not, and kin of everything but those that are not."""

    def __init__(self, no_nouns: tuple[str, ...] = (), no_kin: tuple[str, ...] = ()) -> None:
        self.no_nouns, self.no_kin = no_nouns, no_kin

    def is_noun(self, word: str) -> bool:
        return word not in self.no_nouns

    def links(self, words: list[str], groups: list[list[str]]) -> torch.Tensor:
        assert len(groups) == 1
        return torch.tensor([[0.4 if word in self.no_kin else 0.6] for word in words])


def words(*told: tuple[str, Concept, float, float]) -> Words:
    """A word, what it means, how surely and how common it is."""
    nearest = torch.full((len(told), len(THINGS)), 0.01)
    for row, (_, concept, share, _) in enumerate(told):
        nearest[row, concept.index] = share
    common = torch.tensor([each[3] for each in told])
    found = SimpleNamespace(texts=[each[0] for each in told], nearest=nearest, common=common)
    return cast("Words", found)


def of(concept: Concept, *said: str, among: list[Concept] = THINGS, **known: Any) -> tuple:
    """Which of some sure and common words may stand for a concept."""
    told = words(*((word, concept, 0.9, 0.9) for word in said))
    found = likely.likely_names(told, among, cast("Lexicon", Dictionary(**known)))
    return found[concept.index]


def test_sure_and_common_words_go_to_their_thing_once() -> None:
    told = words(
        ("orchard", APPLE, 0.9, 0.5),
        ("orchard", APPLE, 0.9, 0.5),
        ("meow", CAT, 0.6, 0.9),
        ("whisker", CAT, 0.3, 0.9),
        ("felid", CAT, 0.9, 0.1),
        ("honey bee", BEE, 0.9, 0.9),
    )
    found = likely.likely_names(told, THINGS, cast("Lexicon", Dictionary()))
    assert found[:3] == [("orchard",), (), ("meow",)]


def test_they_are_nouns_and_kin_of_the_name() -> None:
    said = ("meow", "wild", "ball")
    assert of(CAT, *said, no_nouns=("wild",), no_kin=("ball",)) == ("meow",)


def test_names_and_what_captions_say_of_anything_else_are_left() -> None:
    said = ("kitty", "kitties", "Kitty", "apples", "two", "cute", "blue", "grass", "left", "girl")
    assert of(CAT, *said, "meow") == ("meow",)


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("victory", "victories"),
        ("victory", "victorious"),
        ("knit", "knitting"),
        ("winning", "wins"),
        ("rage", "raging"),
        ("infant", "infancy"),
        ("skater", "skating"),
        ("pisces", "Pisces"),
        ("day", "days"),
        ("intelligent", "intellect"),
    ],
)
def test_words_akin_to_one_kept_for_the_evaluation_are_left(kept: str, said: str) -> None:
    bee = Concept(1, "bee", "bee", "1F001", BEE.image, (), (kept,))
    assert of(bee, said, "humid", among=[APPLE, bee, CAT]) == ("humid",)


def test_words_that_only_begin_like_one_kept_for_the_evaluation_are_not() -> None:
    bee = Concept(1, "bee", "bee", "1F001", BEE.image, (), ("sprinkles", "king", "day"))
    said = ("sprout", "kin", "daylight")
    assert of(bee, *said, among=[APPLE, bee, CAT]) == said


def test_forms_of_a_name_are_left() -> None:
    assert of(CAT, "apples", "owling", "foxes", "meow") == ("meow",)


def test_captions_say_them_now_and_then() -> None:
    thing = Concept(0, "cat", "cat", "1F408", CAT.image, likely_names=("meow",))
    stood = Placed(thing, 128, 128, 200)
    dice = np.random.default_rng(0)
    said = [captions.name_object(dice, stood, has_sketch=True).split()[-1] for _ in range(400)]
    assert set(said) == {"cat", "meow"}
    assert 60 < said.count("meow") < 140


def test_what_is_said_of_no_thing_holds_phrases_and_their_words() -> None:
    found = captions.of_no_thing()
    assert {"night sky", "night", "on the left", "left", "two", "purple", "4k"} <= found
    assert not found & {"cat", "apple", "bee"}
    assert {"left", "style"} <= NO_THINGS, "no tag is one of these"


def test_the_pool_reads_what_the_text_stage_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likely, "_FILE", tmp_path / "run" / "likely.json")
    told = words(("meow", CAT, 0.9, 0.9), ("paw", CAT, 0.9, 0.9))
    likely.give_likely_names(concepts(), told, cast("Lexicon", Dictionary()))
    again = concepts()
    again[APPLE.index].synonyms = ("paw",)  # since
    likely.load_likely_names(again, TOKENIZER)
    assert again[CAT.index].likely_names == ("meow",)
    assert again[APPLE.index].likely_names == ()


@pytest.mark.parametrize("kept", [None, {"unicorn": ["horn"]}])
def test_the_pool_finds_them_where_those_of_these_concepts_are_not_kept(
    kept: dict | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_: Any) -> Words:
        return words(("meow", CAT, 0.9, 0.9))

    monkeypatch.setattr(likely, "_FILE", tmp_path / "likely.json")
    monkeypatch.setattr(likely, "Teacher", lambda: None)
    monkeypatch.setattr(likely, "Lexicon", Dictionary)
    monkeypatch.setattr(likely, "Words", found)
    if kept is not None:
        (tmp_path / "likely.json").write_text(json.dumps(kept))
    some = concepts()
    likely.load_likely_names(some, TOKENIZER)
    assert some[CAT.index].likely_names == ("meow",)
    assert json.loads((tmp_path / "likely.json").read_text())["cat"] == ["meow"]
