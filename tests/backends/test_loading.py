"""From a name to a backend, and what each kind of broken model says."""

from __future__ import annotations

import importlib.util
import json
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from diffusers.utils import logging as diffusers_logging
from safetensors.torch import load_file
from transformers.utils import logging as transformers_logging

import turbo_ui
from tests import checkpoints, checkpoints_ldm, checkpoints_sd3
from tests.backends.conftest import MakeCheckpoint
from tests.backends.parity import TOLERANCE, Reference, difference, drawing
from tests.backends.test_sd3_turbo import theirs as sd3_picture
from tests.fakes import FakeBackend, InlineSwitchboard
from turbo_ui.backends import (
    compute,
    hub,
    loading,
    memory,
    parts,
    placement,
    quantization,
    remote,
    single_file,
    sources,
)
from turbo_ui.backends.base import Backend, LoadReport
from turbo_ui.backends.holding import PartCounts
from turbo_ui.backends.sd3_turbo import Sd3Turbo
from turbo_ui.catalog import DOODLE, STABLE_DIFFUSION_3_5_LARGE_TURBO, ModelSpec
from turbo_ui.errors import InvalidRequest, ModelUnavailable
from turbo_ui.frames import FrameRequest, Pixels
from turbo_ui.live.events import ModelState
from turbo_ui.live.progress import Progress
from turbo_ui.live.room import Room
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.remote_settings import RemoteSettings

needs_torchao = pytest.mark.skipif(
    importlib.util.find_spec("torchao") is None,
    reason="torchao is not installed (an extra: pip install torchao)",
)


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


def test_the_fp16_variant_draws_what_diffusers_draws(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint(vae_kind="kl", variant="fp16")
    assert list(folder.glob("unet/*.fp16.safetensors"))
    wanted = FrameRequest(model="tiny-turbo", width=64, height=64, image=drawing(), seed=2)
    (frame,) = load(folder).generate([wanted])
    expected = Reference.of_sd(folder, variant="fp16").picture(wanted)
    assert difference(frame.image, expected) <= TOLERANCE


def test_the_fp16_variant_of_stable_diffusion_3_draws_what_diffusers_draws(tmp_path: Path) -> None:
    folder = checkpoints_sd3.make(tmp_path, variant="fp16")
    assert list(folder.glob("text_encoder_3/*.fp16.safetensors"))
    spec = checkpoints_sd3.spec(folder)
    backend = loading.load_spec(spec, quiet, device="cpu")
    wanted = FrameRequest(model=spec.id, width=64, height=64, image=drawing(), seed=2)
    (frame,) = backend.generate([wanted])
    assert difference(frame.image, sd3_picture(folder, wanted)) <= TOLERANCE


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


def with_scale(folder: Path) -> None:
    """As ComfyUI keeps fp8, which the library that reads a folder would not multiply."""
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    checkpoints_ldm.save(path, load_file(path) | {"conv_in.scale_weight": torch.ones(())})


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
        (in_index(_class_name="FluxPipeline"), "FluxPipeline"),
        (in_index(unet=["diffusers", "UNet3DConditionModel"]), "UNet3DConditionModel"),
        (in_index(unet=["code_in_the_folder", "Own"]), "its unet is Own"),
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
        (with_scale, "weights in few bits, with scales"),
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


def test_a_pickle_is_refused_and_a_broken_file_is_said(tmp_path: Path) -> None:
    single, pickled = tmp_path / "model.safetensors", tmp_path / "model.ckpt"
    for path in (single, pickled):
        path.write_bytes(b"weights")
    with pytest.raises(ModelUnavailable, match="cannot be read as safetensors"):
        load(single)
    with pytest.raises(ModelUnavailable, match="can run code"):
        load(pickled)


def with_configs(monkeypatch: pytest.MonkeyPatch, configs: Path) -> None:
    """Single files are read by a tiny checkpoint's configurations, not by those of full size."""
    for name in ("read_file", "num_parameters"):
        monkeypatch.setattr(single_file, name, partial(getattr(single_file, name), configs=configs))


@pytest.mark.parametrize("image", [None, 2])
@pytest.mark.parametrize("family", ["sd", "sdxl", "sd3"])
def test_a_single_file_draws_what_diffusers_draws(
    checkpoint: MakeCheckpoint,
    sdxl_checkpoint: MakeCheckpoint,
    sd3_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    family: str,
    image: int | None,
) -> None:
    path = tmp_path / "tiny.safetensors"
    draw: Callable[[FrameRequest], Pixels]
    if family == "sd":
        folder = checkpoint(vae_kind="kl")
        checkpoints_ldm.sd_file(folder, path)
        draw = Reference.of_sd(folder).picture
    elif family == "sdxl":
        folder = sdxl_checkpoint(vae_kind="kl")
        checkpoints_ldm.sdxl_file(folder, path)
        draw = Reference.of_sdxl(folder).picture
    else:
        folder = sd3_folder
        checkpoints_ldm.sd3_file(folder, path)
        draw = partial(sd3_picture, folder)
    with_configs(monkeypatch, checkpoints_ldm.configs_of(folder, tmp_path / "configs", family))
    make = checkpoints_sd3.spec if family == "sd3" else checkpoints.spec
    spec = replace(make(folder), source=str(path))
    named = [str(folder)] if family == "sd3" else []
    backend = loading.load_spec(spec, quiet, device="cpu", text_encoders=named)
    sketch = None if image is None else drawing(image)
    wanted = FrameRequest(
        model=spec.id, width=64, height=64, prompt="a cat", seed=3, strength=0.7, image=sketch
    )
    (frame,) = backend.generate([wanted])
    assert frame.image.std() > 10, "a picture in which a difference would be seen"
    assert difference(frame.image, draw(wanted)) <= TOLERANCE


def test_an_entry_of_another_family_says_so(checkpoint: MakeCheckpoint) -> None:
    spec = replace(checkpoints.spec(checkpoint()), family="sd3_turbo")
    with pytest.raises(ModelUnavailable, match="of the family unet_turbo and not sd3_turbo"):
        loading.load_spec(spec, quiet, device="cpu")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="gone is not there"):
        load(tmp_path / "gone")


def test_a_missing_embedded_model_says_how_to_get_it(tmp_path: Path) -> None:
    spec = replace(DOODLE, source=str(tmp_path / "gone"))
    with pytest.raises(ModelUnavailable, match="train-doodle"):
        loading.load_spec(spec, quiet, device="cpu")


def test_the_hubs_files_are_loaded_like_a_folder(
    checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def fetch(spec: ModelSpec, repo: str, revision: str | None, report: LoadReport) -> Path:
        asked.append((repo, revision))
        return checkpoint(variant="fp16")

    monkeypatch.setattr(hub, "fetch", fetch)
    spec = replace(checkpoints.spec(Path("-")), source="someone/tiny-turbo", revision="abc")
    assert loading.load_spec(spec, quiet, device="cpu").spec.id == "tiny-turbo"
    assert asked == [("someone/tiny-turbo", "abc")]


def test_without_a_tiny_vae_the_full_one_is_taken_and_said(
    checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreachable(*args: Any, **options: Any) -> Path:
        raise ModelUnavailable("tiny-turbo", "the hub cannot be reached")

    monkeypatch.setattr(hub, "fetch", unreachable)
    folder = checkpoint(vae_kind="kl")
    wrong_channels = tmp_path / "vae"
    checkpoints.tiny_vae(num_stages=4, latent_channels=16).save_pretrained(wrong_channels)
    for tiny_vae, said in {
        None: "no tiny VAE is known",
        "madebyollin/taesd": "the hub cannot be reached",
        str(wrong_channels): "the tiny VAE has 16 latent channels and the model 4",
    }.items():
        spec = replace(checkpoints.spec(folder), tiny_vae=tiny_vae)
        backend = loading.load_spec(spec, quiet, device="cpu", vae="tiny")
        assert f"full VAE, as {said}" in backend.device_text
        wanted = FrameRequest(model="tiny-turbo", width=64, height=64)
        assert "full VAE" in backend.generate([wanted])[0].path


def test_a_tiny_vae_comes_in_its_revision(
    checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(spec: ModelSpec, repo: str, revision: str | None, *args: Any, **options: Any) -> Path:
        asked.append((repo, revision))
        raise ModelUnavailable("tiny-turbo", "the hub cannot be reached")

    monkeypatch.setattr(hub, "fetch", fetch)
    spec = replace(checkpoints.spec(checkpoint()), tiny_vae="someone/tiny", tiny_vae_revision="abc")
    loading.load_spec(spec, quiet, device="cpu", vae="tiny")
    assert asked == [("someone/tiny", "abc")]


@pytest.fixture(scope="session")
def sd3_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints_sd3.make(tmp_path_factory.mktemp("sd3"))


@pytest.mark.parametrize("vae", [None, "tiny"])
def test_a_folder_of_stable_diffusion_3_draws_with_previews(
    sd3_folder: Path, vae: str | None
) -> None:
    spec = checkpoints_sd3.spec(sd3_folder)
    backend = loading.load_spec(spec, quiet, device="cpu", vae=vae)
    wanted = FrameRequest(model=spec.id, width=64, height=64, num_inference_steps=2)
    frames = list(backend.stream([wanted]))
    assert [frame.kind for frame in frames] == ["preview", "frame"]
    assert f"{vae or 'full'} VAE" in frames[-1].path


def test_stable_diffusion_3_without_a_tiny_vae_says_so(sd3_folder: Path) -> None:
    spec = replace(checkpoints_sd3.spec(sd3_folder), tiny_vae=None)
    backend = loading.load_spec(spec, quiet, device="cpu")
    assert "previews by the full VAE, as no tiny VAE is known" in backend.device_text
    wanted = FrameRequest(model=spec.id, width=64, height=64, num_inference_steps=2)
    assert [frame.kind for frame in backend.stream([wanted])] == ["preview", "frame"]


class HeldUp(Exception):
    """Ends a load where others would have to wait for it."""


@pytest.mark.parametrize("family", ["sd", "sd3 folder", "sd3 file"])
def test_before_it_tells_loading_a_load_fetches_all_and_changes_nothing_that_threads_share(
    checkpoint: MakeCheckpoint,
    sd3_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    family: str,
) -> None:
    """Others may be reading then: it builds no network, imports no part's class, and leaves the
    libraries' voices alone; and once it has told so, they wait: it downloads nothing any more."""
    fetched: list[str] = []
    read: list[object] = []
    folder, spec = checkpoint(), checkpoints.spec(checkpoint())
    named: list[Path] = []
    if family != "sd":
        folder, spec = sd3_folder, checkpoints_sd3.spec(sd3_folder)
    if family == "sd3 file":
        with_configs(monkeypatch, checkpoints_ldm.configs_of(folder, tmp_path / "configs", "sd3"))
        path = checkpoints_ldm.sd3_file(folder, tmp_path / "sd3.safetensors")
        named = checkpoints_ldm.text_encoder_files(folder, tmp_path)
        spec = replace(spec, source=str(path))
    else:
        spec = replace(spec, source="someone/model")

    def fetch(spec: ModelSpec, repo: str, *_: Any, **__: Any) -> Path:
        fetched.append(repo)
        return tmp_path if repo == "someone/tiny" else folder

    def report(state: str, *_: Any, **__: Any) -> None:
        if state == "loading":
            raise HeldUp

    monkeypatch.setattr(hub, "fetch", fetch)
    monkeypatch.setattr(parts, "part_class", read.append)
    monkeypatch.setattr(parts, "quiet", lambda: read.append("quiet"))
    with pytest.raises(HeldUp):
        loading.load_spec(
            replace(spec, tiny_vae="someone/tiny"),
            report,
            device="cpu",
            vae="tiny",
            text_encoders=[str(file) for file in named],
        )
    is_here = family == "sd3 file"
    assert fetched == (["someone/tiny"] if is_here else ["someone/model", "someone/tiny"])
    assert read == []


def test_models_of_each_family_that_are_asked_for_at_once_are_all_loaded_whole(
    checkpoint: MakeCheckpoint,
    sdxl_checkpoint: MakeCheckpoint,
    sd3_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On threads of their own, with what the libraries share."""
    with_configs(monkeypatch, checkpoints_ldm.configs_of(sd3_folder, tmp_path / "configs", "sd3"))
    path = checkpoints_ldm.sd3_file(sd3_folder, tmp_path / "sd3.safetensors")
    named = [str(file) for file in checkpoints_ldm.text_encoder_files(sd3_folder, tmp_path)]
    sd3 = checkpoints_sd3.spec(sd3_folder)
    specs = [
        replace(checkpoints.spec(checkpoint()), id="sd"),
        replace(checkpoints.spec(sdxl_checkpoint()), id="sdxl"),
        replace(sd3, id="sd3"),
        replace(sd3, id="sd3-file", source=str(path)),
    ]
    load_here = partial(loading.load_spec, device="cpu", dtype="fp32", text_encoders=named)
    levels = diffusers_logging.get_verbosity(), transformers_logging.get_verbosity()
    board = Switchboard(specs, load_here)
    has_changed = threading.Condition()

    def note(state: ModelState) -> None:
        with has_changed:
            has_changed.notify_all()

    board.subscribe(note)
    for spec in specs:
        board.request(spec.id)
    with has_changed:
        assert has_changed.wait_for(lambda: len(board.loaded) == len(specs), 60), board.states()
    for spec in specs:
        (backend, alone) = board.ready(spec.id), load_here(spec, quiet)
        assert backend is not None
        side = spec.live_side_px
        request = FrameRequest(model=spec.id, prompt="a cat", width=side, height=side)
        ((frame,), (wanted,)) = (each.generate([request]) for each in (backend, alone))
        assert (frame.image == wanted.image).all()
    board.close()
    assert (diffusers_logging.get_verbosity(), transformers_logging.get_verbosity()) == levels
    assert torch.get_default_dtype() == torch.float32


def test_a_tiny_vae_that_was_fetched_is_not_asked_for_again(
    checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fetch(spec: ModelSpec, repo: str, *_: Any, **__: Any) -> Path:
        asked.append(repo)
        return checkpoint(vae_kind="tiny") / "vae"

    monkeypatch.setattr(hub, "fetch", fetch)
    spec = replace(checkpoints.spec(checkpoint(vae_kind="kl")), tiny_vae="someone/tiny")
    backend = loading.load_spec(spec, quiet, device="cpu", vae="tiny")
    assert asked == ["someone/tiny"]
    assert backend.spec.tiny_vae == "someone/tiny", "the entry stays as it was"
    wanted = FrameRequest(model="tiny-turbo", width=64, height=64)
    assert "tiny VAE" in backend.generate([wanted])[0].path


def test_a_header_that_surprises_is_told_as_a_broken_model(
    sd3_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "num_parameters", lambda *_: {"transformer": 1})
    with pytest.raises(ModelUnavailable, match="its weights cannot be loaded"):
        loading.load_spec(checkpoints_sd3.spec(sd3_folder), quiet, device="cpu")


def as_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[ModelSpec, list[Path]]:
    """The same Stable Diffusion 3 as a single file, and the files of its text encoders."""
    configs = checkpoints_ldm.configs_of(folder, tmp_path / "configs", "sd3")
    with_configs(monkeypatch, configs)
    path = checkpoints_ldm.sd3_file(folder, tmp_path / "sd3.safetensors")
    spec = replace(checkpoints_sd3.spec(folder), source=str(path))
    return spec, checkpoints_ldm.text_encoder_files(folder, tmp_path)


@pytest.mark.parametrize("is_file", [False, True])
def test_a_plan_for_fp16_counts_what_t5_keeps_in_fp32(
    sd3_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_file: bool
) -> None:
    spec, named = checkpoints_sd3.spec(sd3_folder), []
    if is_file:
        spec, named = as_files(sd3_folder, tmp_path, monkeypatch)

    def planned(dtype: str) -> int:
        backend = loading.load_spec(
            spec, quiet, device="cpu", dtype=dtype, text_encoders=[str(file) for file in named]
        )
        assert isinstance(backend, Sd3Turbo)
        return backend.plan.device_bytes

    t5 = checkpoints_sd3.parts(sd3_folder)["text_encoder_3"]
    wide = [tensor.numel() for name, tensor in t5.named_parameters() if ".wo." in name]
    assert planned("fp16") - planned("bf16") == 2 * sum(wide) > 0


@pytest.mark.parametrize("is_file", [False, True])
def test_a_t5_that_the_plan_drops_is_not_read(
    sd3_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_file: bool
) -> None:
    """Nor is its vocabulary asked for, which may be missing."""
    spec, named = checkpoints_sd3.spec(sd3_folder), []
    if is_file:
        spec, named = as_files(sd3_folder, tmp_path, monkeypatch)
        (tmp_path / "tokenizer.json").unlink()
    read: list[Any] = []
    part_class = parts.part_class

    def watch(name: str) -> Any:
        read.append(name)
        return part_class(name)

    monkeypatch.setattr(parts, "part_class", watch)
    monkeypatch.setattr(memory, "choose", lambda *_: memory.MemoryPlan(t5="dropped", text="no T5"))
    backend = loading.load_spec(
        spec, quiet, device="cpu", text_encoders=[str(file) for file in named]
    )
    assert "SD3Transformer2DModel" in read
    assert not [name for name in read if "T5" in name]
    wanted = FrameRequest(model=spec.id, width=64, height=64, num_inference_steps=1)
    assert backend.generate([wanted])[0].path.endswith(", no T5")


def test_a_model_that_does_not_fit_says_how_much_is_missing(sd3_folder: Path) -> None:
    spec = checkpoints_sd3.spec(sd3_folder)
    with pytest.raises(ModelUnavailable, match="of memory at the least"):
        loading.load_spec(spec, quiet, device="cpu", max_device_memory_bytes=1000)


@pytest.mark.parametrize("fits", [True, False])
def test_no_room_is_made_for_a_model_that_could_not_be_placed_even_then(
    sd3_folder: Path, fits: bool
) -> None:
    """Room is made when "loading" is told: a model that works would be put away in vain."""
    spec = checkpoints_sd3.spec(sd3_folder)
    asked: list[tuple[ModelSpec, Sequence[int] | None]] = []
    progress = Progress(spec, lambda _: None, lambda *wanted: asked.append(wanted))
    load_limited = partial(loading.load_spec, spec, progress, device="cpu")
    if fits:
        load_limited().close()
        counts = PartCounts.of(sources.num_parameters(spec, sd3_folder))
        assert asked == [(spec, memory.needs_bytes(counts, placement.room(compute.choose("cpu"))))]
        return
    with pytest.raises(ModelUnavailable, match="of memory at the least") as caught:
        load_limited(max_device_memory_bytes=1000)
    assert "raise max_device_memory_bytes" in caught.value.remedy
    assert asked == []


def test_a_device_that_is_busy_now_is_no_reason_to_refuse_at_once(
    sd3_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fills it may be the models that are put away."""
    spec = checkpoints_sd3.spec(sd3_folder)
    told: list[str] = []
    here = placement.room(compute.choose("cpu"))
    full = replace(here, free_bytes=0, taken_bytes=here.total_bytes, host_free_bytes=0)
    monkeypatch.setattr(placement, "room", lambda *_: full)
    with pytest.raises(ModelUnavailable, match=r"0\.0 GB can be had"):
        loading.load_spec(spec, lambda state, *_, **__: told.append(state), device="cpu")
    assert told == ["loading"], "room was made first"


def test_what_could_never_be_placed_is_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*args: Any, **options: Any) -> Path:
        raise AssertionError("the hub is asked")

    monkeypatch.setattr(hub, "fetch", fetch)
    spec = STABLE_DIFFUSION_3_5_LARGE_TURBO
    with pytest.raises(ModelUnavailable, match="of memory at the least"):
        loading.load_spec(spec, quiet, device="cpu", max_device_memory_bytes=5 * memory.GB)


@pytest.mark.parametrize(("max_gb", "is_read"), [(18.45, True), (18.2, False)])
def test_on_a_cpu_the_large_model_is_read_where_its_smallest_plan_fits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, max_gb: float, is_read: bool
) -> None:
    """Twice what it takes on a GPU would be 20.2 GB: half of it is in 8 bits on a CPU, too."""
    counts = PartCounts()
    numbers = {
        "transformer": counts.transformer,
        "text_encoder": counts.clips,
        "text_encoder_2": 0,
        "text_encoder_3": counts.t5,
        "vae": counts.vae,
    }
    read: list[str] = []

    def reading(spec: ModelSpec, *_: Any, **__: Any) -> Any:
        read.append(spec.id)
        raise ModelUnavailable(spec.id, "this test has no weights")

    memory_there = SimpleNamespace(total=int(32e9), available=int(32e9))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory_there)
    monkeypatch.setattr(quantization, "is_available", lambda: True)
    monkeypatch.setattr(sources, "locate", lambda *_: tmp_path)
    monkeypatch.setattr(sources, "num_parameters", lambda *_: numbers)
    monkeypatch.setattr(sources, "read", reading)
    limit = int(max_gb * memory.GB)
    load_limited = partial(loading.load_spec, device="cpu", max_device_memory_bytes=limit)
    large = STABLE_DIFFUSION_3_5_LARGE_TURBO
    board = InlineSwitchboard([DOODLE, large], load_limited, lambda: Room(limit, scale=2.0))
    board.loaded.put(FakeBackend(spec=DOODLE))
    board.request(large.id)
    board.load_next()
    text = board.standings.of(large.id).text
    assert (read == [large.id]) == is_read, text
    assert is_read or "it needs 18.1 GB of memory and there are 17.9 GB for it beside" in text


@pytest.mark.parametrize(
    ("asked", "options", "allowed"),
    [
        ("int3", {}, "auto, none, int8, fp8"),
        ("fp8", {"has_torchao": False}, "auto, none; int8 and fp8 with torchao installed"),
        ("int8", {"dtype": "fp16"}, "auto, none, fp8; int8 only with dtype bf16 or fp32"),
    ],
)
def test_a_quantization_that_cannot_be_had_is_told_before_anything_is_downloaded(
    monkeypatch: pytest.MonkeyPatch, asked: Any, options: dict[str, Any], allowed: str
) -> None:
    def fetch(*args: Any, **options: Any) -> Path:
        raise AssertionError("the hub is asked")

    has_torchao = options.pop("has_torchao", True)
    monkeypatch.setattr(quantization, "is_available", lambda: has_torchao)
    monkeypatch.setattr(hub, "fetch", fetch)
    wanted = partial(loading.load_spec, STABLE_DIFFUSION_3_5_LARGE_TURBO, quiet, device="cpu")
    with pytest.raises(InvalidRequest) as caught:
        wanted(quantization=asked, **options)
    assert (caught.value.field, caught.value.value) == ("quantization", asked)
    assert caught.value.allowed.startswith(allowed)


def test_other_families_are_not_quantized(folder: Path) -> None:
    assert load(folder, quantization="fp8").device_text == "CPU, fp32 (as asked)"


@needs_torchao
@pytest.mark.parametrize(
    ("asked", "dtype", "told", "path"),
    [
        ("none", "fp32", "", ""),
        ("int8", "fp32", "; transformer in 8-bit int8 as asked", ", transformer int8"),
        ("fp8", "fp32", "; transformer in 8-bit fp8 as asked", ", transformer fp8"),
        ("fp8", "fp16", "; transformer in 8-bit fp8 as asked", ", transformer fp8"),
        ("fp8", "bf16", "; transformer in 8-bit fp8 as asked", ", transformer fp8"),
    ],
)
def test_bits_that_are_asked_for_are_what_draws(
    sd3_folder: Path, asked: Any, dtype: str, told: str, path: str
) -> None:
    spec = checkpoints_sd3.spec(sd3_folder)
    backend = loading.load_spec(spec, quiet, device="cpu", dtype=dtype, quantization=asked)
    assert backend.device_text == f"CPU, {dtype} (as asked){told}"
    wanted = FrameRequest(model=spec.id, width=64, height=64, prompt="a cat")
    (frame,) = backend.generate([wanted])
    assert frame.path == f"cpu {dtype} full VAE eager batch 1{path}"
    (full,) = loading.load_spec(spec, quiet, device="cpu").generate([wanted])
    assert difference(frame.image, full.image) <= (20 if told else 0)
    assert bool(told) == (frame.image != full.image).any()


@needs_torchao
@pytest.mark.parametrize(("dtype", "bits"), [("bf16", "int8"), ("fp16", "fp8")])
def test_where_memory_is_short_the_number_type_chooses_the_8_bits(
    sd3_folder: Path, dtype: str, bits: str
) -> None:
    spec = checkpoints_sd3.spec(sd3_folder)
    counts = PartCounts.of(sources.num_parameters(spec, sd3_folder))
    enough = memory.needs_bytes(counts, placement.room(compute.choose("cpu", dtype)))[0]
    wanted = partial(loading.load_spec, spec, quiet, device="cpu", dtype=dtype)
    backend = wanted(max_device_memory_bytes=enough)
    told = f"CPU, {dtype} (as asked); transformer in 8-bit {bits}, T5 in 4-bit nf4 (all in full"
    assert backend.device_text.startswith(told)
    request = FrameRequest(model=spec.id, width=64, height=64, prompt="a cat")
    (frame,) = backend.generate([request])
    assert frame.path == f"cpu {dtype} full VAE eager batch 1, transformer {bits}, T5 nf4"
    (full,) = wanted().generate([request])
    assert difference(frame.image, full.image) <= 40


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("source", {"source": "~nobody-of-this-name/model"}),
        ("tiny_vae", {"tiny_vae": "~nobody-of-this-name/tiny"}),
        ("text_encoders", {}),
    ],
)
def test_the_home_of_a_user_that_is_unknown_is_told_as_a_wrong_value(
    sd3_folder: Path, field: str, change: dict[str, str]
) -> None:
    spec = replace(checkpoints_sd3.spec(sd3_folder), **change)
    encoders = ["~nobody-of-this-name/t5.safetensors"] if field == "text_encoders" else []
    with pytest.raises(InvalidRequest, match="allowed: a path that is there") as caught:
        loading.load_spec(spec, quiet, device="cpu", text_encoders=encoders)
    assert caught.value.field == field
    assert str(caught.value.value).startswith("~nobody-of-this-name/")


def test_a_remote_model_needs_no_files() -> None:
    settings = RemoteSettings(remote_base_url="http://127.0.0.1:9/v1")
    backend = loading.load_spec(remote.spec_of(settings), quiet, remote_settings=settings)
    assert backend.spec.id == "remote"
    backend.close()


def test_no_code_that_comes_with_a_model_is_run() -> None:
    """Nowhere is a library told to trust it, and a folder may name known classes only."""
    package = Path(turbo_ui.__file__).parent
    sources = [path.read_text(encoding="utf-8") for path in package.rglob("*.py")]
    assert any("from_pretrained" in source for source in sources)
    assert not any("trust_remote_code" in source for source in sources)
