"""Networks that overflow in fp16: widened once, the frame drawn again, and nothing looked at that
would make other frames wait."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests import checkpoints, checkpoints_sd3
from tests.backends.conftest import MakeCheckpoint
from tests.backends.parity import difference, drawing
from turbo_ui.backends import conditioning, latents, overflow, quantization
from turbo_ui.backends.compute import Compute
from turbo_ui.backends.loading import load_spec
from turbo_ui.backends.memory import MemoryPlan
from turbo_ui.backends.overflow import Network
from turbo_ui.backends.sd3_turbo import Sd3Turbo
from turbo_ui.backends.unet_turbo import UnetTurbo
from turbo_ui.errors import BackendFailure, OutOfMemory
from turbo_ui.frames import FrameRequest

HALF = Compute(torch.device("cpu"), torch.float16, "a test", False, 4)
CLOSE = 4
"""Of 255: sketch, noise and VAE are in fp16 still."""

Change = Callable[[UnetTurbo], None]


def quiet(*args: Any, **kwargs: Any) -> None:
    """A load report that nobody reads."""


def wild_unet(backend: UnetTurbo) -> None:
    """What its first layer makes leaves fp16's range; the norms behind it undo that."""
    network(backend, "UNet").conv_in.weight.data.mul_(2e5)


def wild_text(backend: UnetTurbo) -> None:
    """What a layer of the last text encoder adds does not fit into fp16."""
    layer = first_mlp(backend.conditioning.networks[-1].module)
    layer.fc1.weight.data.mul_(300)
    layer.fc2.weight.data.mul_(3e4)


def first_mlp(text_encoder: nn.Module) -> Any:
    return next(
        module for name, module in text_encoder.named_modules() if name.endswith("layers.0.mlp")
    )


def network(backend: UnetTurbo, title: str) -> Any:
    return running(backend, title).module


def running(backend: UnetTurbo, title: str) -> Network:
    (found,) = [each for each in backend._networks if each.title == title]  # pyright: ignore[reportPrivateUsage]
    return found


def load(folder: Path, dtype: str = "fp16", *changes: Change) -> UnetTurbo:
    backend = load_spec(checkpoints.spec(folder), quiet, device="cpu", dtype=dtype)
    assert isinstance(backend, UnetTurbo)
    for change in changes:
        change(backend)
    backend.max_batch = 2
    return backend


def request(**fields: Any) -> FrameRequest:
    return FrameRequest(
        **{"model": "tiny-turbo", "width": 64, "height": 64, "prompt": "a cat", **fields}
    )


def number_types(module: nn.Module) -> list[torch.dtype]:
    """In which each call of a UNet runs, filled as it is called."""
    types: list[torch.dtype] = []
    module.register_forward_pre_hook(lambda _, inputs: types.append(inputs[0].dtype))
    return types


@pytest.fixture(params=["sd", "sdxl"])
def folder(
    request: pytest.FixtureRequest, checkpoint: MakeCheckpoint, sdxl_checkpoint: MakeCheckpoint
) -> Path:
    return (checkpoint if request.param == "sd" else sdxl_checkpoint)(vae_kind="kl")


REQUESTS = [
    request(image=drawing(), strength=0.5),
    request(image=drawing(), strength=0.9, num_inference_steps=3),
    request(num_inference_steps=2, guidance_scale=2.0),
]


@pytest.mark.parametrize("wanted", REQUESTS, ids=["one step", "steps", "guided"])
@pytest.mark.parametrize(
    "changes", [(wild_unet,), (wild_text,)], ids=lambda changes: changes[0].__name__
)
def test_the_picture_is_that_of_the_wider_type(
    folder: Path, changes: tuple[Change, ...], wanted: FrameRequest
) -> None:
    (expected,) = load(folder, "fp32", *changes).generate([wanted])
    half = load(folder, "fp16", *changes)
    (frame,) = half.generate([wanted])
    assert difference(frame.image, expected.image) <= CLOSE
    assert frame.image.std() > 10, "a picture in which a difference would be seen"
    what = "UNet" if changes == (wild_unet,) else half.conditioning.networks[-1].title
    assert f" {what} in fp32" in frame.path
    assert f"{what} in fp32" in half.device_text
    assert half.device_text.endswith(", as fp16 overflows")
    half.close()
    assert f"{what} in fp32" in half.device_text, "a page may still ask"


def test_it_is_widened_once_and_nothing_else_is(checkpoint: MakeCheckpoint) -> None:
    half = load(checkpoint(), "fp16", wild_unet)
    types = number_types(network(half, "UNet"))
    for _ in range(3):
        half.generate([request(num_inference_steps=1)])
    assert types == [torch.float16, *[torch.float32] * 3]
    assert half.device_text == "CPU, fp16 (as asked), UNet in fp32, as fp16 overflows"


def test_a_prompt_that_overflowed_is_kept_as_the_wider_type_has_it(folder: Path) -> None:
    half = load(folder, "fp16", wild_text)
    half.generate([request()])
    kept = half.conditioning.kept
    num_misses = kept.num_misses
    conditions = half.conditioning.conditions([request()])
    expected = load(folder, "fp32", wild_text).conditioning.conditions([request()])
    assert kept.num_misses == num_misses
    apart = (conditions.prompt_embeds.float() - expected.prompt_embeds).norm()
    assert apart < 0.01 * expected.prompt_embeds.norm(), "weights in halves are rounded"


def test_a_prompt_of_another_session_that_overflows_spoils_no_batch(
    checkpoint: MakeCheckpoint,
) -> None:
    folder = checkpoint()
    wanted = [request(), request(prompt="a dog", seed=3)]
    expected = [load(folder, "fp32").generate([each])[0] for each in wanted]
    half = load(folder)
    encode = half.conditioning._encode  # pyright: ignore[reportPrivateUsage,reportAttributeAccessIssue]

    def spoilt(prompt: str) -> torch.Tensor:
        embeds = encode(prompt)
        overflows = prompt == "a dog" and embeds.dtype == torch.float16
        return embeds * torch.inf if overflows else embeds

    half.conditioning._encode = spoilt  # pyright: ignore[reportPrivateUsage,reportAttributeAccessIssue]
    frames = half.generate(wanted)
    for frame, each in zip(frames, expected, strict=True):
        assert difference(frame.image, each.image) <= CLOSE
    assert "text encoder in fp32" in frames[0].path
    assert "UNet" not in frames[0].path


def test_previews_come_once_a_step_and_in_order_though_the_frame_is_begun_anew(
    checkpoint: MakeCheckpoint,
) -> None:
    """The third step overflows when two were shown."""
    half = load(checkpoint())
    types = number_types(network(half, "UNet"))

    def spoil(_: nn.Module, inputs: Any, output: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (output[0] * torch.nan,) if types == [torch.float16] * 3 else output

    network(half, "UNet").register_forward_hook(spoil)
    frames = list(half.stream([request(num_inference_steps=4), request(num_inference_steps=4)]))
    assert [(frame.step, frame.index) for frame in frames] == [
        (step, index) for step in (1, 2, 3, 4) for index in (0, 1)
    ]
    assert [frame.kind for frame in frames] == ["preview"] * 6 + ["frame"] * 2
    assert types == [torch.float16] * 3 + [torch.float32] * 4
    assert "UNet" not in frames[3].path
    assert "UNet in fp32" in frames[4].path


def test_a_tiny_vae_that_bounds_what_it_is_given_hides_no_overflow(
    checkpoint: MakeCheckpoint,
) -> None:
    half = load(checkpoint(vae_kind="tiny"))

    def spoil(_: nn.Module, inputs: Any, output: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (output[0] * torch.inf,) if output[0].dtype == torch.float16 else output

    network(half, "UNet").register_forward_hook(spoil)
    (frame,) = half.generate([request()])
    (expected,) = load(checkpoint(vae_kind="tiny"), "fp32").generate([request()])
    assert difference(frame.image, expected.image) <= CLOSE
    assert "UNet in fp32" in frame.path


def test_what_no_type_can_hold_is_an_error_and_the_next_frame_comes(
    checkpoint: MakeCheckpoint,
) -> None:
    half = load(checkpoint())
    is_broken = [True]

    def spoil(_: nn.Module, inputs: Any, output: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (output[0] * torch.nan,) if is_broken[0] else output

    network(half, "UNet").register_forward_hook(spoil)
    with pytest.raises(BackendFailure, match="not finite"):
        half.generate([request()])
    is_broken[0] = False
    assert half.generate([request()])[0].is_last


def test_a_frame_waits_for_the_device_no_oftener_than_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at whether numbers are finite is such a wait: one for the picture, one for a new
    sketch, none for a new prompt."""
    looks: list[int] = []

    def is_finite(*several: torch.Tensor) -> bool:
        looks.append(len(several))
        return overflow.is_finite(*several)

    for module in (latents, conditioning):
        monkeypatch.setattr(module, "is_finite", is_finite)
    half = load(folder)
    for fields, num_looks in (({}, 1), ({"prompt": "a dog"}, 1), ({"image": drawing()}, 2)):
        looks.clear()
        half.generate([request(**fields)])
        assert len(looks) == num_looks


# --- one network


class Unwilling(nn.Module):
    """Its second half does not go into a wider type."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.half()
        self.second._apply = self.refuse

    def refuse(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        if fn(torch.ones(1, dtype=torch.float16)).dtype == torch.float32:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.second


def test_what_cannot_be_widened_for_want_of_memory_stays_as_it_was() -> None:
    module = Unwilling()
    ours = Network("UNet", module, HALF)
    with pytest.raises(torch.OutOfMemoryError):
        ours.widen()
    assert {weights.dtype for weights in module.parameters()} == {torch.float16}
    assert not ours.is_widened


def test_want_of_memory_is_told_as_such(checkpoint: MakeCheckpoint) -> None:
    half = load(checkpoint(), "fp16", wild_unet)

    def refuse(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    network(half, "UNet").mid_block._apply = refuse
    with pytest.raises(OutOfMemory):
        half.generate([request(num_inference_steps=1)])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_what_is_wide_already_stays(dtype: torch.dtype) -> None:
    compute = Compute(torch.device("cpu"), dtype, "a test", False, 4)
    assert not Network("UNet", nn.Linear(4, 4).to(dtype), compute).widen()


@pytest.mark.skipif(
    importlib.util.find_spec("torchao") is None,
    reason="torchao is not installed (an extra: pip install torchao)",
)
def test_weights_in_fewer_bits_stay_in_the_type_they_were_made_from() -> None:
    module = nn.Sequential(nn.Linear(64, 64)).half()
    quantization.quantize(module, "fp8", torch.device("cpu"))
    ours = Network("T5", module, HALF)
    assert not ours.can_widen
    assert not ours.widen()
    assert module(torch.ones(1, 64, dtype=torch.float16)).dtype == torch.float16


# --- Stable Diffusion 3's text encoders


@pytest.mark.parametrize("offload", ["none", "text_encoders", "model"])
def test_a_clip_of_stable_diffusion_3_is_widened_and_its_prompts_made_anew(
    tmp_path: Path, offload: Any
) -> None:
    folder = checkpoints_sd3.make(tmp_path)
    parts = checkpoints_sd3.parts(folder)
    for part in parts.values():
        if isinstance(part, nn.Module):
            part.half()
    backend = Sd3Turbo(checkpoints_sd3.spec(folder), parts, HALF, plan=MemoryPlan(offload=offload))
    wanted = FrameRequest(model="tiny-sd3", width=64, height=64, prompt="a cat")
    backend.generate([wanted])
    assert backend.device_text == "a test"
    layer = first_mlp(parts["text_encoder_2"])
    layer.fc1.weight.data.mul_(5e4)
    layer.fc2.weight.data.mul_(1e-4)  # what it adds fits: the transformer stays in fp16
    for _ in range(2):
        (frame,) = backend.generate([FrameRequest(**{**vars(wanted), "prompt": "a dog"})])
        assert frame.path.startswith("cpu fp16 CLIP-G in fp32 full VAE eager batch 1")
    assert backend.device_text == "a test, CLIP-G in fp32, as fp16 overflows"
    assert {weights.dtype for weights in parts["text_encoder_2"].parameters()} == {torch.float32}
    kept = backend.conditioning.kept
    assert len(kept) == 1, "what fp16 made of the other prompt is not used beside it"
    assert torch.isfinite(backend.conditioning.embeds("a dog").prompt_embeds).all()
    assert (kept.num_misses, kept.num_hits) == (2, 2)
    backend.close()
    assert "CLIP-G in fp32" in backend.device_text, "a page may still ask"
