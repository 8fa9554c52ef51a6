"""The pool: what is held out stays held out, however many shards come; captions of new ones."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.things import concepts
from training.doodle import pool, scenes
from training.doodle.data import Concept
from training.doodle.scenes import WHITE, Scene
from training.doodle.vague import Vague

VAGUE = Vague(concepts(), {"cat": ["mammal"]}, ["hope"])


def test_the_first_shard_is_held_out_whatever_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "POOL_DIR", tmp_path)
    with pytest.raises(SystemExit, match="two shards"):
        pool.load_held_out()
    for index in range(5):
        torch.save({"ids": torch.tensor([index])}, tmp_path / f"{index:05d}.pt")
        assert pool.load_held_out()["ids"].tolist() == [0]
    assert pool.load_pool(2)["ids"].tolist() == [3, 4]
    assert pool.load_pool(99)["ids"].tolist() == [1, 2, 3, 4]


def test_what_is_drawn_as_another_thing_is_never_without_its_word() -> None:
    pairs = pool.sample_pairs(np.random.default_rng(4), concepts(), 60, VAGUE)
    assert any(not pair.caption for pair in pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "_LOOSE_SHARE", 1.0)
        patch.setattr(pool, "CANONICAL_SHARE", 0.0)
        patch.setattr(pool, "unnamed", lambda *_: "")
        drawn: list[Scene] = []
        draw = pool.sketch.draw
        patch.setattr(pool.sketch, "draw", lambda rng, s: (drawn.append(s), draw(rng, s))[1])
        found = pool.sample_pairs(np.random.default_rng(4), concepts(), 60, VAGUE)
    swapped = [any(scene.drawn_as) for scene in drawn[: len(found)]]
    assert any(swapped)
    for pair, is_swapped in zip(found, swapped, strict=True):
        assert not is_swapped or pair.caption


def test_now_and_then_a_sketch_has_no_words_or_such_as_leave_open_what_is_meant() -> None:
    dice, told = np.random.default_rng(5), Scene((), WHITE, "a cat and an owl")
    said = [pool.unnamed(dice, told, VAGUE) for _ in range(4000)]
    num_vague = sum("hope" in caption for caption in said)
    found = np.array([said.count(""), num_vague, said.count(told.caption)]) / 4000
    assert found == pytest.approx([0.12, 0.23, 0.6], abs=0.02)
    assert 0.03 < 1 - found.sum() < 0.07, "letters"


def test_what_no_word_names_is_looked_up_nowhere() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "_VAGUE_SHARE", 1.0)
        patch.setattr(pool, "CANONICAL_SHARE", 0.0)
        patch.setattr(scenes, "_LOOSE_SHARE", 0.0)
        pairs = pool.sample_pairs(np.random.default_rng(6), concepts(), 40, VAGUE)
    vague = [pair for pair in pairs if {"hope", "mammal"} & {*pair.caption.split()}]
    assert len(vague) > 10
    assert all((pair.layout == -1).all() for pair in vague)
    assert any((pair.layout != -1).any() for pair in pairs)


def test_new_shards_may_say_likely_names_and_be_drawn_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give(things: list[Concept], _: Any) -> None:
        things[0].likely_names = ("lumber",)

    def draw(things: list[Concept]) -> None:
        things[0].drawn_by = (things[1],)

    def note(index: int, _: Any, things: list[Concept], __: Any, vague: Vague) -> None:
        assert vague is VAGUE
        built.append((index, things[0].likely_names, len(things[0].drawn_by)))

    built = []
    for name, found in {
        "POOL_DIR": tmp_path / "pool",
        "freeze_autoencoder": lambda: torch.nn.Identity(),
        "CLIPTokenizer": SimpleNamespace(from_pretrained=lambda _: None),
        "load_concepts": concepts,
        "load_likely_names": give,
        "load_vague_words": lambda *_: VAGUE,
        "load_artists": draw,
        "build_shard": note,
    }.items():
        monkeypatch.setattr(pool, name, found)
    monkeypatch.setattr("sys.argv", ["pool", "--first", "7", "--shards", "2"])
    pool.main()
    assert built == [(7, ("lumber",), 1), (8, ("lumber",), 1)]
