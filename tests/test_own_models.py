"""Models of the user's own: a folder, a file, a repository of the hub."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from turbo_ui.catalog import (
    BY_ARCHITECTURE,
    CATALOG,
    SD_TURBO,
    SDXL_TURBO,
    WORK_SHARE,
    ModelSpec,
    find,
)
from turbo_ui.errors import InvalidRequest
from turbo_ui.own_models import NETWORKS, HubId, identified, spec_for, weighed
from turbo_ui.weights import Architecture

COMMIT = "0123456789" * 4
MEDIUM = "stabilityai/stable-diffusion-3.5-medium"


def test_by_id_and_by_hub_id() -> None:
    assert find("sd-turbo") is spec_for("sd-turbo") is spec_for("stabilityai/sd-turbo")
    assert spec_for(f"stabilityai/sd-turbo@{SD_TURBO.revision}") is SD_TURBO


def test_any_repository_of_the_hub_gets_an_entry() -> None:
    spec = spec_for(MEDIUM)
    assert (spec.id, spec.title, spec.source) == ("stable-diffusion-3.5-medium", MEDIUM, MEDIUM)
    assert (spec.revision, spec.is_provisional) == (None, True)
    assert spec.licence == "as its page on the hub says"
    assert spec.licence_url == f"https://huggingface.co/{MEDIUM}"
    assert spec.attribution == "Powered by Stability AI", "as its maker's others"
    assert spec_for("someone/some-model_1.0").attribution == ""


def test_a_revision_is_a_commit_a_branch_or_a_tag() -> None:
    for revision in (COMMIT, "main", "v1.0", "refs/pr/3"):
        spec = spec_for(f"{MEDIUM}@{revision}")
        assert (spec.id, spec.source) == ("stable-diffusion-3.5-medium", MEDIUM)
        assert spec.revision == revision
    assert spec_for(f"{MEDIUM}@{COMMIT}").title == f"{MEDIUM}@0123456"


def test_one_repository_is_one_model_and_another_revision_another() -> None:
    """As for `--model` and `--refine-model`."""
    newest = spec_for(MEDIUM)
    pinned = spec_for(f"{MEDIUM}@{COMMIT}", (*CATALOG, newest))
    both = (*CATALOG, newest, pinned)
    assert (newest.id, pinned.id) == (
        "stable-diffusion-3.5-medium",
        "stable-diffusion-3.5-medium-2",
    )
    assert spec_for(MEDIUM, both) is newest
    assert spec_for(f"{MEDIUM}@{COMMIT}", both) is pinned
    assert spec_for(MEDIUM, (*CATALOG, pinned)).revision is None


def test_another_revision_of_a_model_of_the_table_keeps_its_licence() -> None:
    spec = spec_for("stabilityai/stable-diffusion-3.5-large-turbo@main")
    known = find("stable-diffusion-3.5-large-turbo")
    assert known is not None
    assert (spec.id, spec.revision) == ("stable-diffusion-3.5-large-turbo-2", "main")
    assert (spec.licence, spec.attribution) == (known.licence, known.attribution)
    assert (spec.how_to_get, spec.is_gated) == (known.how_to_get, True)


@pytest.mark.parametrize(("architecture", "like"), BY_ARCHITECTURE.items())
def test_a_repository_becomes_like_its_family_and_keeps_its_name(
    architecture: Architecture, like: ModelSpec
) -> None:
    before = spec_for("someone/model")
    spec = identified(before, architecture, COMMIT)
    assert (spec.id, spec.title, spec.source) == (before.id, before.title, before.source)
    assert (spec.licence, spec.licence_url) == (before.licence, before.licence_url)
    assert (spec.attribution, spec.how_to_get, spec.is_gated) == ("", "", False)
    assert (spec.family, spec.sizes_px, spec.tiny_vae) == (
        like.family,
        like.sizes_px,
        like.tiny_vae,
    )
    assert spec.revision == COMMIT


def test_what_came_for_a_repository_is_weighed_once(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "snapshot", "StableDiffusionXLPipeline")
    spec = weighed(identified(spec_for("someone/model"), "sdxl", COMMIT), folder)
    assert (spec.memory_bytes, spec.is_provisional) == (memory_for(250), False)
    assert weighed(SDXL_TURBO, folder) is SDXL_TURBO


@pytest.mark.parametrize(
    "model",
    [
        "sd-turbo-3",
        "no/such/model",
        "someone/",
        "/model",
        "some one/model",
        "someone/model@",
        "someone/model@a b",
        "someone/model@../x",
        "someone/..",
        "someone/-model",
        "someone/a--b",
        "someone/model.git",
        "models/turbo.safetensors",
        "models/turbo.ckpt",
        "https://huggingface.co/someone/model",
        f"someone/{'n' * 97}",
    ],
)
def test_what_is_no_hub_id_is_a_wrong_value(model: str) -> None:
    assert HubId.read(model) is None
    with pytest.raises(InvalidRequest) as caught:
        spec_for(model, field="refine_model")
    assert (caught.value.field, caught.value.value) == ("refine_model", model)
    assert "doodle, sd-turbo" in caught.value.allowed
    assert "owner/name or owner/name@revision" in caught.value.allowed


def test_a_folder_goes_before_a_repository_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_folder(tmp_path / "someone", "model", "StableDiffusionPipeline")
    monkeypatch.chdir(tmp_path)
    spec = spec_for("someone/model")
    assert (spec.source, spec.is_provisional) == (str(folder), False)


def test_a_folder_hides_no_revision_and_no_entry_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_folder(tmp_path / "someone", "model", "StableDiffusionPipeline")
    folder = a_folder(tmp_path / "stabilityai", "sd-turbo", "StableDiffusionPipeline")
    monkeypatch.chdir(tmp_path)
    pinned = spec_for("someone/model@v2")
    assert (pinned.source, pinned.revision, pinned.is_provisional) == ("someone/model", "v2", True)
    assert spec_for("stabilityai/sd-turbo").source == str(folder)
    assert spec_for("sd-turbo") is SD_TURBO


def test_a_hub_id_is_not_what_a_remote_server_calls_its_model() -> None:
    far = replace(SD_TURBO, id="remote", family="remote", source="someone/far", revision=None)
    spec = spec_for("someone/far", (*CATALOG, far))
    assert (spec.id, spec.family, spec.is_provisional) == ("far", "unet_turbo", True)
    assert spec_for("remote", (*CATALOG, far)) is far


def test_the_hub_tells_no_upper_from_lower_case() -> None:
    spec = spec_for("Stabilityai/SDXL-turbo")
    assert (spec.licence, spec.licence_url) == (SDXL_TURBO.licence, SDXL_TURBO.licence_url)
    assert spec_for("StabilityAI/sd-other").attribution == "Powered by Stability AI"


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


@pytest.mark.parametrize("name", ["no-such-model", "\0"])
def test_what_is_not_there_is_named(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        spec_for(name)
    assert "doodle" in caught.value.allowed
