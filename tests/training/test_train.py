"""`make train-doodle` runs every stage in order; what is exported is guarded by checksums."""

import hashlib
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from training.doodle import data, shipped, train
from training.doodle.export import write_checksums
from training.doodle.footprint import size_mb


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been run."""
    asked: list[list[str]] = []
    monkeypatch.setattr(data, "fetch", lambda: asked.append(["fetch"]))
    monkeypatch.setattr(subprocess, "run", lambda command, check: asked.append(command))
    return asked


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    train.main()


def test_all_stages_run_in_order_and_the_export_comes_last(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    assert commands[0] == ["fetch"]
    modules = [command[2] for command in commands[1:]]
    assert modules == [
        "training.doodle.train_autoencoder",
        "training.doodle.train_text",
        "training.doodle.pool",
        "training.doodle.train_unet",
        "training.doodle.train_decoder",
        "training.doodle.export",
    ]
    for command in commands[1:]:
        assert command[:2] == [sys.executable, "-m"]
        assert find_spec(command[2]) is not None


def test_the_lengths_are_scaled(commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "--scale", "0.5")
    lengths = [int(command[4]) for command in commands[1:-1]]
    assert lengths == [round(length / 2) for _, _, length in train.STAGES]
    commands.clear()
    run(monkeypatch, "--scale", "0.000001")
    assert {command[4] for command in commands[1:-1]} == {"1"}


def test_one_stage_alone_is_exported_after(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, "--only", "train_text")
    assert [command[2] for command in commands[1:]] == [
        "training.doodle.train_text",
        "training.doodle.export",
    ]


def test_from_the_shipped_weights_the_autoencoder_stays_and_the_text_encoder_is_trained_gently(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "unpack", lambda folder: commands.append(["unpack"]) or [])
    run(monkeypatch, "--from-shipped")
    assert commands[:2] == [["fetch"], ["unpack"]]
    stages = {command[2].rpartition(".")[2]: command[5:] for command in commands[2:]}
    assert list(stages) == ["train_text", "pool", "train_unet", "train_decoder", "export"]
    assert stages["train_text"] == ["--lr", "1.2e-3"]
    assert stages["train_unet"] == []


def test_an_unknown_stage_is_named(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--only", "train_cat")
    assert "train_cat" in capsys.readouterr().err
    assert commands == []


def test_checksums_are_of_the_models_files_and_not_of_the_card(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "weights.safetensors").write_bytes(b"weights")
    (tmp_path / "README.md").write_text("a card")
    write_checksums(tmp_path)
    write_checksums(tmp_path)  # its own file is not among them
    sums = json.loads((tmp_path / "checksums.json").read_text("utf-8"))
    assert sums == {"unet/weights.safetensors": hashlib.sha256(b"weights").hexdigest()}


def test_the_size_is_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "weights").write_bytes(b"x" * 1_500_000)
    (tmp_path / "card").write_bytes(b"x" * 500_000)
    assert size_mb(tmp_path) == 2.0
