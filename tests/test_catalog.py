"""The models on offer."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from turbo_ui.backends.admission import check_batch
from turbo_ui.catalog import CATALOG, SD_TURBO, STABLE_DIFFUSION_3_5_LARGE_TURBO, ModelSpec, find
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import FrameRequest


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
    assert spec.licence_url.startswith("turbo-ui/" if spec.is_embedded else "https://")
    if not spec.is_embedded:
        assert spec.attribution
        assert spec.tiny_vae
        assert spec.revision is not None, "else the same request gives other pixels one day"
        assert re.fullmatch("[0-9a-f]{40}", spec.revision)
        assert re.fullmatch("[0-9a-f]{40}", spec.tiny_vae_revision or ""), "it draws, too"
    assert bool(spec.how_to_get) == spec.is_gated, "what is gated says how to get in"


def test_the_large_model_is_drawn_smaller_while_the_hand_moves() -> None:
    spec = STABLE_DIFFUSION_3_5_LARGE_TURBO
    assert (spec.default_size_px, spec.live_side_px, spec.is_live) == (1024, 768, False)
    assert spec.default_num_inference_steps == 4
    assert "licence" in spec.how_to_get
    assert "HF_TOKEN" in spec.how_to_get
    assert SD_TURBO.live_side_px == 512


def test_by_id() -> None:
    assert find("sd-turbo") is SD_TURBO
    assert find("nothing") is None


def test_each_two_of_its_sides_are_drawn_or_a_few_pairs_only() -> None:
    assert SD_TURBO.draws(256, 1024)
    assert not SD_TURBO.draws(256, 1000)
    few = replace(SD_TURBO, only_sizes_px=((1536, 1024), (1024, 1536)))
    assert few.draws(1024, 1536)
    assert not few.draws(1536, 1536)


@pytest.mark.parametrize(
    ("size", "field", "allowed"),
    [
        ((1536, 1536), "height", "width and height of 1536x1024 or 1024x1536"),
        ((64, 1024), "width", "width and height of"),
        ((1024, 1536), None, ""),
    ],
)
def test_a_batch_of_a_model_of_a_few_sizes_is_one_of_those(
    size: tuple[int, int], field: str | None, allowed: str
) -> None:
    few = replace(SD_TURBO, only_sizes_px=((1536, 1024), (1024, 1536)))
    request = FrameRequest(model=few.id, width=size[0], height=size[1])
    if field is None:
        check_batch([request], few, 1, ["full"], "fp32")
        return
    with pytest.raises(InvalidRequest) as caught:
        check_batch([request], few, 1, ["full"], "fp32")
    assert caught.value.field == field
    assert allowed in caught.value.allowed
