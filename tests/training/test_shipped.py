"""Training can go on from the shipped folder alone."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from training.doodle import export, run, shipped, train_unet


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "RUN_DIR", tmp_path)
    for module in (shipped, train_unet):
        monkeypatch.setattr(module, "TOKENIZER_DIR", tmp_path / "tokenizer")
    return tmp_path


@pytest.mark.usefixtures("run_folder")
def test_exporting_what_was_unpacked_gives_the_shipped_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = shipped.unpack(export.FOLDER)
    assert written == ["autoencoder-frozen", "text", "unet", "decoder"]
    again = tmp_path / "again"
    monkeypatch.setattr("sys.argv", ["export", "--out", str(again)])
    export.main()
    names = [f"{part}/diffusion_pytorch_model.safetensors" for part in ("unet", "vae")]
    for name in (*names, "text_encoder/model.safetensors"):
        first, second = load_file(export.FOLDER / name), load_file(again / name)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)
    texts = ["a red car under a tree", "zebra"]
    tokenizers = [CLIPTokenizer.from_pretrained(f / "tokenizer") for f in (export.FOLDER, again)]
    assert tokenizers[0](texts)["input_ids"] == tokenizers[1](texts)["input_ids"]


def test_a_checkpoint_that_is_there_stays_but_no_other_tokenizer(run_folder: Path) -> None:
    run.save("unet", {"step": 7})
    shutil.copytree(export.FOLDER / "tokenizer", run_folder / "tokenizer")
    (run_folder / "tokenizer" / "tokenizer.json").write_text("of a run that came to nothing")
    assert "unet" not in shipped.unpack(export.FOLDER)
    kept = run.load("unet")
    assert kept is not None
    assert kept["step"] == 7
    words = (run_folder / "tokenizer" / "tokenizer.json").read_bytes()
    assert words == (export.FOLDER / "tokenizer" / "tokenizer.json").read_bytes()
