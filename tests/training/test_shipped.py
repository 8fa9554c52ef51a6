"""Training can go on from the shipped folder alone."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from training.doodle import export, run, shipped, train_unet
from training.doodle.lookup import SHARPENED


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
    assert (again / "words.json").read_bytes() == (export.FOLDER / "words.json").read_bytes()
    texts = ["a red car under a tree", "zebra"]
    tokenizers = [CLIPTokenizer.from_pretrained(f / "tokenizer") for f in (export.FOLDER, again)]
    assert tokenizers[0](texts)["input_ids"] == tokenizers[1](texts)["input_ids"]


@pytest.mark.usefixtures("run_folder")
def test_what_was_made_surer_is_as_soft_again_as_it_was_trained() -> None:
    shipped.unpack(export.FOLDER)
    soft = run.load("unet")
    assert soft is not None
    sharp = load_file(export.FOLDER / "unet" / "diffusion_pytorch_model.safetensors")
    name = "mid_block.attentions.0.transformer_blocks.0.attn2.to_q.weight"
    num_taught = len(sharp[name]) // 2
    assert sharp[name][:num_taught].abs().max() > 0
    torch.testing.assert_close(
        soft["average"][name][:num_taught], sharp[name][:num_taught].float() / SHARPENED
    )
    torch.testing.assert_close(soft["average"][name][num_taught:], sharp[name][num_taught:].float())
    down = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q.weight"
    assert torch.equal(soft["average"][down], sharp[down].float()), "no head is taught there"


@pytest.mark.usefixtures("run_folder")
def test_a_checkpoint_of_another_shape_is_named() -> None:
    with pytest.raises(SystemExit, match=r"decoder\.pt is of another shape .* move it away"):
        run.fill(torch.nn.Linear(3, 3), {"weight": torch.zeros(2, 3)}, "decoder")


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
