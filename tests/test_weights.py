"""Telling what a folder or a file of weights is, without reading the weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from turbo_ui.errors import ModelUnavailable
from turbo_ui.weights import architecture_of, index_of, shapes_of

UNET = "model.diffusion_model.input_blocks.0.0.weight"
SMALL = np.zeros((2, 3), np.float16)


def file_of(folder: Path, *names: str) -> Path:
    path = folder / "model.safetensors"
    save_file(dict.fromkeys(names, SMALL), path, metadata={"format": "pt"})
    return path


@pytest.mark.parametrize(
    ("names", "architecture"),
    [
        ([UNET, "cond_stage_model.model.transformer.resblocks.0.ln_1.weight"], "sd"),
        ([UNET, "conditioner.embedders.0.model.transformer.resblocks.0.ln_1.weight"], "sd"),
        (
            [
                UNET,
                "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight",
                "conditioner.embedders.1.model.ln_final.weight",
            ],
            "sdxl",
        ),
        (["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"], "sd3"),
        (["joint_blocks.0.x_block.attn.qkv.weight"], "sd3"),
    ],
)
def test_a_single_file_tells_its_family(
    tmp_path: Path, names: list[str], architecture: str
) -> None:
    path = file_of(tmp_path, *names)
    assert architecture_of(path) == architecture
    assert shapes_of(path) == dict.fromkeys(names, (2, 3))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([UNET, "cond_stage_model.transformer.text_model.a"], "Stable Diffusion 1"),
        (["double_blocks.0.img_attn.qkv.weight"], "Flux"),
        (["lora_unet_mid_block.lora_down.weight"], "LoRA"),
        (["down_blocks.0.resnets.0.conv1.weight"], "one part of a diffusers model"),
        (["text_model.embeddings.position_embedding.weight"], "a text encoder"),
        ([UNET], "a UNet without its text encoder"),
        (["something.else"], "unknown layout"),
    ],
)
def test_a_single_file_that_cannot_be_run_says_what_it_is(
    tmp_path: Path, names: list[str], said: str
) -> None:
    with pytest.raises(ModelUnavailable, match=said) as caught:
        architecture_of(file_of(tmp_path, *names))
    assert "SDXL-Turbo" in caught.value.remedy


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cannot be read"),
        (b"PK\x03\x04" + bytes(100), "header does not fit"),
        ((2**40).to_bytes(8, "little") + b"{}", "header does not fit"),
        ((2).to_bytes(8, "little") + b"[]", "no JSON object"),
        ((2).to_bytes(8, "little") + b"\xff\xff", "cannot be read"),
        ((9).to_bytes(8, "little") + b'{"a": []}', "cannot be read"),
        ((9).to_bytes(8, "little") + b'{"a": {}}', "cannot be read"),
    ],
)
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelUnavailable, match=said):
        shapes_of(path)


def test_a_file_that_is_cut_short_says_how_much_is_missing(tmp_path: Path) -> None:
    path = file_of(tmp_path, UNET)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(ModelUnavailable, match=f"{len(whole) - 5} of {len(whole)} bytes"):
        shapes_of(path)


@pytest.mark.parametrize("suffix", [".ckpt", ".PT", ".bin"])
def test_a_pickle_is_refused_unopened(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ModelUnavailable, match="can run code"):
        shapes_of(tmp_path / f"never-opened{suffix}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="not there"):
        shapes_of(tmp_path / "gone.safetensors")


@pytest.mark.parametrize(
    ("class_name", "architecture"),
    [
        ("StableDiffusionPipeline", "sd"),
        ("StableDiffusionXLPipeline", "sdxl"),
        ("StableDiffusion3Pipeline", "sd3"),
    ],
)
def test_a_folder_tells_its_family(tmp_path: Path, class_name: str, architecture: str) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": class_name}))
    assert architecture_of(tmp_path) == architecture
    assert index_of(tmp_path)["_class_name"] == class_name


def test_a_folder_of_another_family_is_named(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    with pytest.raises(ModelUnavailable, match="it is a FluxPipeline"):
        architecture_of(tmp_path)
