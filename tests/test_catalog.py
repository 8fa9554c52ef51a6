"""The models on offer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from turbo_ui.catalog import CATALOG, ModelSpec, find, spec_for
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
    assert 0 < (spec.enough_memory_bytes or spec.memory_bytes) <= spec.memory_bytes
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
    (folder / "unet").mkdir(parents=True)
    for variant, size in (("", 1000), (".fp16", 500)):
        (folder / "unet" / f"weights{variant}.safetensors").write_bytes(b"x" * size)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": class_name}))
    return folder


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
    assert spec.memory_bytes == 1000
    assert spec.attribution == "", "someone else's licence is not claimed"
    assert (spec.how_to_get, spec.is_gated) == ("", False)


def test_a_folder_named_like_an_entry_is_another_model(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "sd-turbo", "StableDiffusionPipeline")
    spec = spec_for(str(folder))
    assert spec.id == "sd-turbo-2"
    assert spec_for(str(folder), (*CATALOG, spec)) is spec


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        spec_for("no/such-model")
    assert "doodle" in caught.value.allowed
