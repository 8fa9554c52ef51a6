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
from training.doodle.scenes import Scene


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
    pairs = pool.sample_pairs(np.random.default_rng(4), concepts(), 60)
    assert any(not pair.caption for pair in pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "_LOOSE_SHARE", 1.0)
        patch.setattr(pool, "CANONICAL_SHARE", 0.0)
        patch.setattr(pool, "unnamed", lambda *_: "")
        drawn: list[Scene] = []
        draw = pool.sketch.draw
        patch.setattr(pool.sketch, "draw", lambda rng, s: (drawn.append(s), draw(rng, s))[1])
        found = pool.sample_pairs(np.random.default_rng(4), concepts(), 60)
    swapped = [any(scene.drawn_as) for scene in drawn[: len(found)]]
    assert any(swapped)
    for pair, is_swapped in zip(found, swapped, strict=True):
        assert not is_swapped or pair.caption


def test_new_shards_may_say_likely_names_and_be_drawn_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give(things: list[Concept], _: Any) -> None:
        things[0].likely_names = ("lumber",)

    def draw(things: list[Concept]) -> None:
        things[0].drawn_by = (things[1],)

    def note(index: int, _: Any, things: list[Concept], __: Any) -> None:
        built.append((index, things[0].likely_names, len(things[0].drawn_by)))

    built = []
    for name, found in {
        "POOL_DIR": tmp_path / "pool",
        "freeze_autoencoder": lambda: torch.nn.Identity(),
        "CLIPTokenizer": SimpleNamespace(from_pretrained=lambda _: None),
        "load_concepts": concepts,
        "load_likely_names": give,
        "load_artists": draw,
        "build_shard": note,
    }.items():
        monkeypatch.setattr(pool, name, found)
    monkeypatch.setattr("sys.argv", ["pool", "--first", "7", "--shards", "2"])
    pool.main()
    assert built == [(7, ("lumber",), 1), (8, ("lumber",), 1)]
