"""Vague words: what the teachers leave open, and never what the evaluation asks for."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from tests.training.things import concepts
from training.doodle import vague
from training.doodle.data import Concept
from training.doodle.nearness import Words
from training.doodle.vague import Vague, vague_words

APPLE, BEE, CAT, OWL, FOX = THINGS = [
    replace(concept, shared_tags=() if concept.label == "apple" else ("animal", "farm"))
    for concept in concepts()
]
TOKENIZER = cast("CLIPTokenizer", None)


def words(*told: tuple[str, dict[str, float], float]) -> Words:
    """A word, the shares of what it may mean, and how common it is."""
    nearest = torch.full((len(told), len(THINGS)), 0.01)
    for row, (_, shares, _) in enumerate(told):
        for concept in THINGS:
            nearest[row, concept.index] = shares.get(concept.label, 0.01)
    common = torch.tensor([each[2] for each in told])
    found = SimpleNamespace(texts=[each[0] for each in told], nearest=nearest, common=common)
    return cast("Words", found)


def test_words_that_the_teachers_are_not_sure_of_may_mean_each_of_the_first() -> None:
    told = words(
        ("mammal", {"cat": 0.4, "fox": 0.3, "owl": 0.1}, 0.9),
        ("feline", {"cat": 0.6, "fox": 0.3}, 0.9),  # sure
        ("vulpine", {"fox": 0.4}, 0.1),  # next to nobody writes it
        ("hope", {"bee": 0.08}, 0.9),
    )
    found = vague_words(told, THINGS)
    assert {label: each for label, each in found.unsure.items() if each} == {
        "cat": ["mammal"],
        "fox": ["mammal"],
    }
    assert found.idle == ["hope"]
    assert found.wider == {c.label: ["animal"] if c.shared_tags else [] for c in THINGS}


@pytest.mark.parametrize("shares", [{"cat": 0.3}, {}])
@pytest.mark.parametrize("word", ["something", "farming", "Hope", "it", "cats", "blue", "apple"])
def test_what_is_asked_for_and_names_are_never_said(word: str, shares: dict) -> None:
    found = vague_words(words((word, shares, 0.9), ("hope", {}, 0.9)), THINGS)
    assert found.idle == ["hope"]
    assert not any(found.unsure.values())


def test_words_that_were_kept_by_other_rules_are_not_said() -> None:
    found = Vague(THINGS, {"cat": ["mammal", "something"]}, ["hope", "farm", "weird"])
    assert found.unsure == {"cat": ["mammal"]}
    assert found.idle == ["hope"]


def test_captions_of_one_thing_may_say_what_it_is_among_others() -> None:
    dice, told = np.random.default_rng(0), Vague(THINGS, {"cat": ["mammal"]}, ["hope"])
    said = [told.caption(dice, [CAT, CAT]) for _ in range(400)]
    for word, share in (("animal", 0.4), ("mammal", 0.3), ("hope", 0.3)):
        found = np.mean([word in caption for caption in said])
        assert found == pytest.approx(share, abs=0.07)
    assert {"animal", "an animal", "the mammal", "hope hope"} <= set(said)
    assert not any("  " in caption or caption != caption.strip() for caption in said)


@pytest.mark.parametrize("drawn", [[CAT, OWL], [APPLE], []])
def test_of_several_kinds_and_of_what_has_no_wider_words_captions_mean_nothing(
    drawn: list[Concept],
) -> None:
    dice, told = np.random.default_rng(1), Vague(THINGS, {"cat": ["mammal"]}, ["hope"])
    assert all("hope" in told.caption(dice, drawn) for _ in range(50))


def test_without_any_words_to_choose_from_there_is_no_caption() -> None:
    dice = np.random.default_rng(2)
    assert {Vague([APPLE], {}, []).caption(dice, [APPLE]) for _ in range(20)} == {""}


@pytest.mark.parametrize("kept", [None, {"of": ["unicorn"], "unsure": {}, "idle": []}])
def test_the_pool_reads_what_was_kept_of_these_concepts_and_else_finds_it(
    kept: dict | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_: Any) -> Words:
        asked.append(1)
        return words(("hope", {}, 0.9), ("mammal", {"cat": 0.4}, 0.9))

    asked: list[int] = []
    file = tmp_path / "run" / "vague.json"
    monkeypatch.setattr(vague, "_FILE", file)
    monkeypatch.setattr(vague, "Teacher", lambda: None)
    monkeypatch.setattr(vague, "Lexicon", lambda: None)
    monkeypatch.setattr(vague, "Words", found)
    if kept is not None:
        file.parent.mkdir()
        file.write_text(json.dumps(kept))
    for _ in range(2):
        told = vague.load_vague_words(THINGS, TOKENIZER)
        assert told.idle == ["hope"]
        assert told.unsure["cat"] == ["mammal"]
    assert asked == [1]
