"""The models on offer."""

from __future__ import annotations

from pathlib import Path

import pytest

from turbo_ui.catalog import CATALOG, find, spec_for
from turbo_ui.errors import InvalidRequest


def test_the_app_starts_on_the_embedded_model() -> None:
    assert CATALOG[0].id == "doodle"
    assert CATALOG[0].is_embedded


def test_ids_are_unique_and_each_model_can_draw_its_default_size() -> None:
    assert len({spec.id for spec in CATALOG}) == len(CATALOG)
    for spec in CATALOG:
        assert spec.default_size_px in spec.sizes_px
        assert spec.licence != "unknown"


def test_by_id_and_by_hub_id() -> None:
    assert find("sd-turbo") is spec_for("sd-turbo") is spec_for("stabilityai/sd-turbo")
    assert find("nothing") is None


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "weights.safetensors").write_bytes(b"x" * 1000)
    spec = spec_for(str(folder))
    assert (spec.id, spec.source) == ("my-model", str(folder))
    assert spec.memory_bytes == 1000
    assert spec.attribution == "", "someone else's licence is not claimed"


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        spec_for("no/such-model")
    assert "doodle" in caught.value.allowed
