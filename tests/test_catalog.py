"""The models on offer."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from turbo_ui.catalog import CATALOG, NETWORKS, WORK_SHARE, ModelSpec, find, spec_for
from turbo_ui.errors import InvalidRequest


def test_the_app_starts_on_the_embedded_model() -> None:
    assert CATALOG[0].id == "doodle"
    assert CATALOG[0].is_embedded


def test_the_promised_models_are_on_offer() -> None:
    assert [spec.id for spec in CATALOG] == [
        "doodle",
        "sd-turbo",
        "sdxl-turbo",
        "stable-diffusion-3.5-large-turbo",
    ]
    assert len({spec.id for spec in CATALOG}) == len(CATALOG)


@pytest.mark.parametrize("spec", CATALOG, ids=lambda spec: spec.id)
def test_each_entry_is_complete(spec: ModelSpec) -> None:
    assert spec.default_size_px in spec.sizes_px
    assert spec.live_side_px in spec.sizes_px
    assert spec.licence != "unknown"
    assert spec.memory_bytes > 0
    if not spec.is_embedded:
        assert spec.licence_url.startswith("https://")
        assert spec.attribution
        assert spec.tiny_vae
        assert spec.revision is not None, "else the same request gives other pixels one day"
        assert re.fullmatch("[0-9a-f]{40}", spec.revision)
    assert bool(spec.how_to_get) == spec.is_gated, "what is gated says how to get in"


def test_the_large_model_is_drawn_smaller_while_the_hand_moves() -> None:
    spec = spec_for("stable-diffusion-3.5-large-turbo")
    assert (spec.default_size_px, spec.live_side_px, spec.is_live) == (1024, 768, False)
    assert spec.default_num_inference_steps == 4
    assert "licence" in spec.how_to_get
    assert "HF_TOKEN" in spec.how_to_get
    assert spec_for("sd-turbo").live_side_px == 512


def test_by_id_and_by_hub_id() -> None:
    assert find("sd-turbo") is spec_for("sd-turbo") is spec_for("stabilityai/sd-turbo")
    assert find("nothing") is None


def a_folder(parent: Path, name: str, class_name: str) -> Path:
    folder = parent / name
    a_file(folder / "unet" / "weights.safetensors", 250, itemsize=4)
    a_file(folder / "unet" / "weights.fp16.safetensors", 250)
    index = {"_class_name": class_name, "unet": ["diffusers", "UNet2DConditionModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def a_file(path: Path, *num_parameters: int, itemsize: int = 2, prefix: str = "") -> Path:
    """Weights with a tensor of each of these sizes, in numbers of so many bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dtype = {1: np.int8, 2: np.float16, 4: np.float32}[itemsize]
    tensors = {f"{prefix}{i}": np.zeros(n, dtype) for i, n in enumerate(num_parameters)}
    save_file(tensors, path)
    return path


def memory_for(num_parameters: int) -> int:
    """Two bytes for each, and what is needed to work with them."""
    return int(num_parameters * 2 * (1 + WORK_SHARE))


@pytest.mark.parametrize(
    ("class_name", "like"),
    [
        ("StableDiffusionPipeline", "sd-turbo"),
        ("StableDiffusionXLPipeline", "sdxl-turbo"),
        ("StableDiffusion3Pipeline", "stable-diffusion-3.5-large-turbo"),
        ("FluxPipeline", "sd-turbo"),
    ],
)
def test_a_folder_of_ones_own_is_like_its_family(
    tmp_path: Path, class_name: str, like: str
) -> None:
    folder = a_folder(tmp_path, "my-model", class_name)
    spec, known = spec_for(str(folder)), spec_for(like)
    assert (spec.id, spec.source) == ("my-model", str(folder))
    assert (spec.family, spec.sizes_px) == (known.family, known.sizes_px)
    assert (spec.default_size_px, spec.tiny_vae) == (known.default_size_px, known.tiny_vae)
    assert spec.memory_bytes == memory_for(250)
    assert spec.attribution == "", "someone else's licence is not claimed"
    assert (spec.how_to_get, spec.is_gated) == ("", False)


@pytest.mark.parametrize(
    "model", ["nothing", "~/nothing-of-this-name", "~nobody-of-this-name/x", "n" * 300, "a\0b"]
)
def test_what_is_nowhere_is_a_wrong_value(model: str) -> None:
    """Also where it would be in the home of a user that is unknown, or no name can be like it."""
    with pytest.raises(InvalidRequest, match="a diffusers folder, or a") as caught:
        spec_for(model)
    assert (caught.value.field, caught.value.value) == ("model", model)


def test_a_folder_named_like_an_entry_is_another_model(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "sd-turbo", "StableDiffusionPipeline")
    spec = spec_for(str(folder))
    assert spec.id == "sd-turbo-2"
    assert spec_for(str(folder), (*CATALOG, spec)) is spec


@pytest.mark.parametrize("itemsize", [1, 2, 4])
def test_a_file_takes_what_its_numbers_take_when_they_are_loaded(
    tmp_path: Path, itemsize: int
) -> None:
    """In fp32 it is twice as large on the disk, in fp8 half as large; on the device it is not."""
    file = a_file(tmp_path / "mine.safetensors", 600, 400, itemsize=itemsize)
    assert spec_for(str(file)).memory_bytes == memory_for(1000)


def test_averaged_weights_beside_those_that_are_drawn_with_are_not_counted(tmp_path: Path) -> None:
    tensors = {f"{prefix}.weight": np.zeros(500, np.float16) for prefix in ("model", "model_ema")}
    save_file(tensors, tmp_path / "mine.safetensors")
    assert spec_for(str(tmp_path / "mine.safetensors")).memory_bytes == memory_for(500)


def a_clone(folder: Path) -> Path:
    """A hub repository with all that is in it: single files, variants, a checker, no T5."""
    index: dict[str, object] = {"_class_name": "StableDiffusion3Pipeline"}
    for part in ("transformer", "text_encoder", "text_encoder_2", "vae", "safety_checker"):
        index[part] = ["diffusers", "Kind"]
    index["text_encoder_3"] = [None, None]
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps(index))
    for name in ("sd3.safetensors", "text_encoders/t5.safetensors", "safety_checker/m.safetensors"):
        a_file(folder / name, 5000)
    a_file(folder / "text_encoder_3" / "model.safetensors", 5000)
    for number in (1, 2):
        a_file(folder / "transformer" / f"model-0000{number}-of-00002.safetensors", 300, itemsize=4)
        a_file(folder / "transformer" / f"model.fp16-0000{number}-of-00002.safetensors", 300)
    a_file(folder / "text_encoder" / "model.fp16.safetensors", 40)
    a_file(folder / "text_encoder_2" / "model.safetensors", 50)
    a_file(folder / "vae" / "model.safetensors", 10)
    return folder


def test_of_a_clone_only_what_is_read_is_counted(tmp_path: Path) -> None:
    spec = spec_for(str(a_clone(tmp_path / "clone")))
    assert spec.memory_bytes == memory_for(600 + 40 + 50 + 10)


def test_the_counted_files_are_those_that_are_read(tmp_path: Path) -> None:
    from turbo_ui import weights
    from turbo_ui.backends import parts

    named = {part for layout in parts.LAYOUTS.values() for part in layout}
    assert set(NETWORKS) == {part for part in named if parts.has_weights(part)}
    folder = a_clone(tmp_path / "clone")
    files = [
        file
        for part in ("transformer", "text_encoder", "text_encoder_2", "vae")
        for file in weights.weight_files(folder / part)
    ]
    num_parameters = sum(weights.num_parameters(weights.shapes_of(file)) for file in files)
    assert spec_for(str(folder)).memory_bytes == memory_for(num_parameters)


def test_the_catalogs_own_sizes_are_of_the_same_rule() -> None:
    known = {"sd-turbo": 1_289_952_427, "sdxl-turbo": 3_468_837_867}
    for model_id, num_parameters in known.items():
        assert math.isclose(
            spec_for(model_id).memory_bytes, memory_for(num_parameters), rel_tol=0.01
        )


@pytest.mark.parametrize("content", [b"", b"x" * 1000])
def test_what_cannot_be_read_passes_for_its_size_on_the_disk(
    tmp_path: Path, content: bytes
) -> None:
    """Loading says what is wrong with it; but by then it may be mended, and takes memory."""
    file = tmp_path / "broken.safetensors"
    file.write_bytes(content)
    spec = spec_for(str(file))
    wanted = memory_for(len(content) // 2) if content else spec_for("sd-turbo").memory_bytes
    assert spec.memory_bytes == wanted


def test_one_file_under_two_names_is_one_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for `--model` and `--refine-model`, however each names it."""
    file = a_file(tmp_path / "models" / "mine.safetensors", 10)
    (tmp_path / "link.safetensors").symlink_to(file)
    spec = spec_for(str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "models")
    for name in ("mine.safetensors", "./mine.safetensors", "~/models/mine.safetensors"):
        assert spec_for(name, (*CATALOG, spec)) is spec
    assert spec_for("../link.safetensors", (*CATALOG, spec)) is spec
    assert spec_for(f"{CATALOG[0].source}/../doodle") is CATALOG[0]


@pytest.mark.parametrize("name", ["no/such-model", "\0"])
def test_what_is_not_there_is_named(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        spec_for(name)
    assert "doodle" in caught.value.allowed
