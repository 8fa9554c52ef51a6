"""From a name to a backend, and what each kind of broken model says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

import turbo_ui
from tests import checkpoints
from tests.backends.conftest import MakeCheckpoint
from turbo_ui.backends import loading
from turbo_ui.backends.base import Backend
from turbo_ui.catalog import DOODLE, SD_TURBO
from turbo_ui.errors import InvalidRequest, ModelUnavailable
from turbo_ui.frames import FrameRequest


def quiet(*args: Any, **kwargs: Any) -> None:
    """A load report that nobody reads."""


@pytest.fixture
def folder(checkpoint: MakeCheckpoint, tmp_path: Path) -> Path:
    """A checkpoint that the test may spoil."""
    return Path(shutil.copytree(checkpoint(), tmp_path / "model"))


def load(folder: Path, **options: Any) -> Backend:
    return loading.load_spec(checkpoints.spec(folder), quiet, device="cpu", **options)


def test_the_public_load_takes_a_folder(checkpoint: MakeCheckpoint) -> None:
    backend = turbo_ui.load(str(checkpoint()), device="cpu")
    assert isinstance(backend, Backend)
    assert backend.spec.source == str(checkpoint())
    (frame,) = backend.generate([FrameRequest(model=backend.spec.id, prompt="a cat")])
    assert frame.image.shape == (256, 256, 3)


def test_the_public_load_refuses_what_is_not_there() -> None:
    with pytest.raises(InvalidRequest, match="doodle"):
        turbo_ui.load("no/such/model")
    with pytest.raises(InvalidRequest, match="device"):
        turbo_ui.load("doodle", device="tpu")


def test_the_fp16_variant_is_found(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint(variant="fp16")
    assert list(folder.glob("unet/*.fp16.safetensors"))
    assert load(folder).generate([FrameRequest(model="tiny-turbo", width=64, height=64)])


def test_loading_tells_where_it_is(checkpoint: MakeCheckpoint) -> None:
    told: list[tuple[str, str]] = []

    def report(state: str, text: str = "", *args: Any, **kwargs: Any) -> None:
        told.append((state, text))

    loading.load_spec(checkpoints.spec(checkpoint()), report, device="cpu")
    assert told == [("loading", "Reading Tiny Turbo for CPU, fp32 (as asked).")]


def test_loading_is_quiet_on_the_console(
    checkpoint: MakeCheckpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint()
    capfd.readouterr()
    load(checkpoint())
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_the_tiny_vae_instead_of_the_full_one(checkpoint: MakeCheckpoint) -> None:
    folder, small = checkpoint(vae_kind="kl"), checkpoint(vae_kind="tiny") / "vae"
    spec = replace(checkpoints.spec(folder), tiny_vae=str(small))
    backend = loading.load_spec(spec, quiet, device="cpu", vae="tiny")
    wanted = FrameRequest(model="tiny-turbo", width=64, height=64, vae="tiny")
    (frame,) = backend.generate([wanted])
    assert "tiny VAE" in frame.path
    with pytest.raises(ModelUnavailable, match="no tiny VAE"):
        load(folder, vae="tiny")


def remove(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return spoil


def write(name: str, data: bytes) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return spoil


def truncate(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])


def pickle_instead(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


def in_index(**changed: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "model_index.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))

    return spoil


def in_scheduler(**changed: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "scheduler" / "scheduler_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove("model_index.json"), "no model_index.json"),
        (write("model_index.json", b"{"), "cannot be read"),
        (write("model_index.json", b"[1]"), "cannot be read"),
        (in_index(_class_name="StableDiffusion3Pipeline"), "StableDiffusion3Pipeline"),
        (in_index(unet=["diffusers", "UNet3DConditionModel"]), "UNet3DConditionModel"),
        (in_index(scheduler=["diffusers", "DDIMScheduler"]), "DDIMScheduler"),
        (in_index(tokenizer=None), "tokenizer"),
        (in_scheduler(prediction_type="flow"), "flow"),
        (remove("unet"), "folder unet is missing"),
        (remove("vae"), "folder vae is missing"),
        (remove("tokenizer"), "tokenizer cannot be loaded"),
        (remove("unet/config.json"), "unet cannot be loaded"),
        (remove("unet/diffusion_pytorch_model.safetensors"), "no safetensors file"),
        (truncate, "unet cannot be loaded"),
        (pickle_instead, "pickle"),
    ],
)
def test_a_broken_model_says_what_is_wrong(
    folder: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(folder)
    with pytest.raises(ModelUnavailable) as caught:
        load(folder)
    assert said in str(caught.value)
    assert caught.value.model == "tiny-turbo"


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    single, pickled = tmp_path / "model.safetensors", tmp_path / "model.ckpt"
    for path in (single, pickled):
        path.write_bytes(b"weights")
    with pytest.raises(ModelUnavailable, match="a single file"):
        load(single)
    with pytest.raises(ModelUnavailable, match="not a safetensors file"):
        load(pickled)


def test_a_missing_embedded_model_says_how_to_get_it(tmp_path: Path) -> None:
    spec = replace(DOODLE, source=str(tmp_path / "gone"))
    with pytest.raises(ModelUnavailable, match="train-doodle"):
        loading.load_spec(spec, quiet, device="cpu")


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: Any, **kwargs: Any) -> str:
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(loading, "snapshot_download", unreachable)
    with pytest.raises(ModelUnavailable) as caught:
        loading.load_spec(SD_TURBO, quiet, device="cpu")
    assert "hub cannot be reached" in caught.value.user_text


def test_a_full_disk_while_downloading(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loading, "snapshot_download", full)
    with pytest.raises(ModelUnavailable, match="No space left"):
        loading.load_spec(SD_TURBO, quiet, device="cpu")


def test_the_hubs_files_are_loaded_like_a_folder(
    checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def download(repo: str, **options: Any) -> str:
        asked.append({"repo": repo, **options})
        return str(checkpoint(variant="fp16"))

    monkeypatch.setattr(loading, "snapshot_download", download)
    spec = replace(checkpoints.spec(Path("-")), source="someone/tiny-turbo", revision="abc")
    assert loading.load_spec(spec, quiet, device="cpu").spec.id == "tiny-turbo"
    assert (asked[0]["repo"], asked[0]["revision"]) == ("someone/tiny-turbo", "abc")
    assert not any("bin" in pattern or "ckpt" in pattern for pattern in asked[0]["allow_patterns"])
