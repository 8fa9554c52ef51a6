"""Likely names: what the teachers are sure of, and never what the evaluation asks for."""

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
from training.doodle.nearness import Words
from training.doodle.scenes import Placed

APPLE, BEE, CAT, *_ = THINGS = concepts()


def words(*told: tuple[str, Concept, float, float]) -> Words:
    """A word, what it means, how surely and how common it is."""
    nearest = torch.full((len(told), len(THINGS)), 0.01)
    for row, (_, concept, share, _) in enumerate(told):
        nearest[row, concept.index] = share
    common = torch.tensor([each[3] for each in told])
    found = SimpleNamespace(texts=[each[0] for each in told], nearest=nearest, common=common)
    return cast("Words", found)


def test_sure_and_common_words_go_to_their_thing_once() -> None:
    told = words(
        ("orchard", APPLE, 0.9, 0.5),
        ("orchard", APPLE, 0.9, 0.5),
        ("meow", CAT, 0.6, 0.9),
        ("whisker", CAT, 0.3, 0.9),
        ("felid", CAT, 0.9, 0.1),
        ("honey bee", BEE, 0.9, 0.9),
    )
    assert likely.likely_names(told, THINGS)[:3] == [("orchard",), (), ("meow",)]


def test_names_and_what_captions_say_of_anything_else_are_left() -> None:
    said = ("kitty", "kitties", "apples", "two", "cute", "blue", "grass", "night")
    told = words(*((word, CAT, 0.9, 0.9) for word in (*said, "meow")))
    assert likely.likely_names(told, THINGS)[CAT.index] == ("meow",)


def test_words_akin_to_one_kept_for_the_evaluation_are_left() -> None:
    kept = Concept(1, "bee", "bee", "1F001", BEE.image, (), ("buzzing", "hum"))
    told = words(*((w, BEE, 0.9, 0.9) for w in ("buzzing", "buzz", "buzzings", "hum", "humid")))
    assert likely.likely_names(told, [APPLE, kept, CAT])[1] == ("humid",)


def test_captions_say_them_now_and_then() -> None:
    thing = Concept(0, "cat", "cat", "1F408", CAT.image, likely_names=("meow",))
    stood = Placed(thing, 128, 128, 200)
    dice = np.random.default_rng(0)
    said = [captions.name_object(dice, stood, has_sketch=True).split()[-1] for _ in range(400)]
    assert set(said) == {"cat", "meow"}
    assert said.count("meow") < 100


def test_the_pool_reads_what_the_text_stage_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likely, "_FILE", tmp_path / "run" / "likely.json")
    told = words(("meow", CAT, 0.9, 0.9))
    likely.give_likely_names(concepts(), told)
    again, tokenizer = concepts(), cast("CLIPTokenizer", None)
    likely.load_likely_names(again, tokenizer)
    assert again[CAT.index].likely_names == ("meow",)
    assert again[APPLE.index].likely_names == ()


def test_the_pool_finds_them_where_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_: Any) -> Words:
        return words(("meow", CAT, 0.9, 0.9))

    monkeypatch.setattr(likely, "_FILE", tmp_path / "likely.json")
    monkeypatch.setattr(likely, "Teacher", lambda: None)
    monkeypatch.setattr(likely, "Lexicon", lambda: None)
    monkeypatch.setattr(likely, "Words", found)
    some = concepts()
    likely.load_likely_names(some, cast("CLIPTokenizer", None))
    assert some[CAT.index].likely_names == ("meow",)
    assert (tmp_path / "likely.json").exists()
