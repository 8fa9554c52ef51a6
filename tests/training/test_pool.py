"""The pool: what is held out stays held out, however many shards come."""

from pathlib import Path

import pytest
import torch

from training.doodle import pool


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
