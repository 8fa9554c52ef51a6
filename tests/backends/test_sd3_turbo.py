"""The SD3 backend on a tiny real model: its pictures are those of diffusers' own pipelines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3_img2img import (
    StableDiffusion3Img2ImgPipeline,
)
from PIL import Image

from tests import checkpoints_sd3
from tests.backends.contract import BackendContract
from tests.backends.parity import TOLERANCE, difference, drawing
from turbo_ui.backends import compute, flow
from turbo_ui.backends.base import Backend
from turbo_ui.backends.latents import Encoded
from turbo_ui.backends.memory import MemoryPlan
from turbo_ui.backends.sd3_conditioning import MAX_KEPT_PROMPTS
from turbo_ui.backends.sd3_turbo import Sd3Turbo
from turbo_ui.errors import BackendFailure, InvalidRequest, OutOfMemory
from turbo_ui.frames import Frame, FrameRequest, Pixels, Sketch

MODEL = "tiny-sd3"

Checkpoint = Callable[..., Path]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """`checkpoint(has_t5=…, …)` is the folder of such a model."""

    @cache
    def made(**options: Any) -> Path:
        return checkpoints_sd3.make(tmp_path_factory.mktemp("sd3"), **options)

    return made


def request(**fields: Any) -> FrameRequest:
    return FrameRequest(**{"model": MODEL, "width": 64, "height": 64, "prompt": "a cat", **fields})


def load(folder: Path, **options: Any) -> Sd3Turbo:
    parts = options.pop("parts", None) or checkpoints_sd3.parts(folder)
    chosen = compute.choose("cpu")
    spec = checkpoints_sd3.spec(folder)
    return Sd3Turbo(spec, parts, chosen, **{"max_batch": 4, **options})


@cache
def backend(folder: Path) -> Sd3Turbo:
    return load(folder)


@cache
def pipelines(folder: Path, vae: str = "full", without_t5: bool = False) -> tuple[Any, Any]:
    text = checkpoints_sd3.pipeline(folder)
    if vae == "tiny":
        text.register_modules(vae=checkpoints_sd3.parts(folder)["tiny_vae"])
    if without_t5:
        text.register_modules(text_encoder_3=None, tokenizer_3=None)
    image = StableDiffusion3Img2ImgPipeline(**text.components)
    for pipeline in (text, image):
        pipeline.set_progress_bar_config(disable=True)
    return text, image


def theirs(folder: Path, wanted: FrameRequest, **options: Any) -> Pixels:
    """The same request in diffusers' own pipelines."""
    text, image = pipelines(folder, **options)
    common: dict[str, Any] = {
        "prompt": wanted.prompt,
        "width": wanted.width,
        "height": wanted.height,
        "guidance_scale": wanted.guidance_scale,
        "num_inference_steps": wanted.num_inference_steps or 4,
        "generator": torch.Generator().manual_seed(wanted.seed),
        "output_type": "np",
    }
    if wanted.sketch is None:
        made = text(**common)
    else:
        sketch = Image.fromarray(wanted.sketch.pixels)
        made = image(**common, image=sketch, strength=wanted.strength)
    return (made.images[0] * 255).round().astype(np.uint8)


def one(folder: Path, wanted: FrameRequest) -> Frame:
    (frame,) = backend(folder).generate([wanted])
    return frame


class TestContract(BackendContract):
    @pytest.fixture
    def backend(self, checkpoint: Checkpoint) -> Backend:
        return backend(checkpoint())

    @pytest.fixture
    def wanted(self) -> FrameRequest:
        return request(seed=1)


# --- equal to diffusers


@pytest.mark.parametrize("steps", [None, 1, 2, 4, 7])
def test_text_to_image_is_diffusers(checkpoint: Checkpoint, steps: int | None) -> None:
    wanted = request(num_inference_steps=steps, seed=5, strength=0.3)
    frame = one(checkpoint(), wanted)
    assert frame.num_denoising_steps == (steps or 4), "strength says nothing without a sketch"
    assert frame.image.std() > 10, "a picture in which a difference would be seen"
    assert difference(frame.image, theirs(checkpoint(), wanted)) <= TOLERANCE


@pytest.mark.parametrize(
    ("steps", "strength", "running"),
    [
        (None, 0.6, 3),
        (None, 0.7, 3),
        (None, 0.5, 2),
        (None, 0.25, 1),
        (None, 0.05, 1),
        (None, 1.0, 4),
        (1, 0.3, 1),
        (2, 0.5, 1),
        (3, 0.34, 2),
        (8, 0.9, 8),
    ],
)
def test_image_to_image_is_diffusers(
    checkpoint: Checkpoint, steps: int | None, strength: float, running: int
) -> None:
    wanted = request(image=drawing(), num_inference_steps=steps, strength=strength, seed=11)
    frame = one(checkpoint(), wanted)
    assert frame.num_denoising_steps == running
    assert difference(frame.image, theirs(checkpoint(), wanted)) <= TOLERANCE


@pytest.mark.parametrize("image", [None, 1])
@pytest.mark.parametrize("vae", ["full", "tiny"])
def test_either_vae(checkpoint: Checkpoint, vae: Any, image: int | None) -> None:
    sketch = None if image is None else drawing(image)
    wanted = request(image=sketch, vae=vae, seed=3)
    frame = one(checkpoint(), wanted)
    assert f"{vae} VAE" in frame.path
    assert difference(frame.image, theirs(checkpoint(), wanted, vae=vae)) <= TOLERANCE


@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
@pytest.mark.parametrize("image", [None, 1])
def test_guidance(checkpoint: Checkpoint, image: int | None, guidance_scale: float) -> None:
    sketch = None if image is None else drawing(image)
    wanted = request(image=sketch, guidance_scale=guidance_scale, strength=0.8)
    assert difference(one(checkpoint(), wanted).image, theirs(checkpoint(), wanted)) <= TOLERANCE


@pytest.mark.parametrize(("width", "height"), [(128, 64), (64, 192), (256, 256), (512, 320)])
@pytest.mark.parametrize("image", [None, 2])
def test_other_sizes_and_shapes(
    checkpoint: Checkpoint, image: int | None, width: int, height: int
) -> None:
    sketch = None if image is None else drawing(image, width, height)
    wanted = request(width=width, height=height, image=sketch, num_inference_steps=2, strength=0.8)
    frame = one(checkpoint(), wanted)
    assert frame.image.shape == (height, width, 3)
    assert difference(frame.image, theirs(checkpoint(), wanted)) <= TOLERANCE


@pytest.mark.parametrize(("width", "height"), [(1024, 1024), (768, 1024)])
def test_the_sizes_of_the_real_model(checkpoint: Checkpoint, width: int, height: int) -> None:
    sketch = drawing(2, width, height)
    wanted = request(width=width, height=height, image=sketch, num_inference_steps=1, strength=1.0)
    assert difference(one(checkpoint(), wanted).image, theirs(checkpoint(), wanted)) <= TOLERANCE


def test_a_shift_that_grows_with_the_picture(checkpoint: Checkpoint) -> None:
    folder = checkpoint(is_shift_dynamic=True)
    for width, height in ((64, 64), (256, 128)):
        wanted = request(width=width, height=height, image=drawing(1, width, height))
        assert difference(one(folder, wanted).image, theirs(folder, wanted)) <= TOLERANCE


def test_dual_attention_as_in_the_medium_model(checkpoint: Checkpoint) -> None:
    folder = checkpoint(dual_attention_layers=(0, 1))
    wanted = request(image=drawing())
    assert difference(one(folder, wanted).image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("prompt", ["", "a b c d " * 40, "x" * 900, "Ünïcode, 猫 & <|endoftext|>"])
def test_prompts_are_cut_and_read_as_diffusers_does(checkpoint: Checkpoint, prompt: str) -> None:
    wanted = request(prompt=prompt)
    assert difference(one(checkpoint(), wanted).image, theirs(checkpoint(), wanted)) <= TOLERANCE


def test_t5_reads_on_where_the_clips_end(checkpoint: Checkpoint) -> None:
    start = "a b c d e f g h i j k l m n o p q r s t u v w x y z "  # the tiny CLIPs hold 14 of them
    conditioning = backend(checkpoint()).conditioning
    with torch.inference_mode():
        one, other = (conditioning.embeds(start + end) for end in ("red", "blue"))
    assert torch.equal(one.pooled, other.pooled)
    assert not torch.equal(one.prompt_embeds, other.prompt_embeds)


@pytest.mark.parametrize("vae", ["full", "tiny"])
def test_a_batch_gives_each_its_own_picture(checkpoint: Checkpoint, vae: Any) -> None:
    batch = [
        request(prompt="a cat", image=drawing(1), strength=0.3, seed=1, vae=vae),
        request(prompt="a dog", image=drawing(2), strength=0.9, seed=2, vae=vae),
        request(prompt="a cat", seed=1, vae=vae),
        request(prompt="", image=drawing(1), strength=0.3, seed=4, vae=vae),
    ]
    frames = backend(checkpoint()).generate(batch)
    assert [frame.request for frame in frames] == batch
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    for wanted, frame in zip(batch, frames, strict=True):
        assert difference(frame.image, theirs(checkpoint(), wanted, vae=vae)) <= TOLERANCE


def test_a_batch_with_guidance(checkpoint: Checkpoint) -> None:
    batch = [
        request(prompt=f"thing {n}", image=drawing(n), strength=0.7, seed=n, guidance_scale=4.0)
        for n in range(3)
    ]
    for wanted, frame in zip(batch, backend(checkpoint()).generate(batch), strict=True):
        assert difference(frame.image, theirs(checkpoint(), wanted)) <= TOLERANCE


# --- without T5


@pytest.mark.parametrize("image", [None, 1])
def test_a_model_without_t5_is_diffusers_without_t5(
    checkpoint: Checkpoint, image: int | None
) -> None:
    folder = checkpoint(has_t5=False)
    sketch = None if image is None else drawing(image)
    wanted = request(image=sketch, seed=4)
    assert difference(one(folder, wanted).image, theirs(folder, wanted)) <= TOLERANCE


def test_a_dropped_t5_is_diffusers_without_t5(checkpoint: Checkpoint) -> None:
    running = load(checkpoint(), plan=MemoryPlan(t5="dropped", text="without T5"))
    for guidance_scale in (0.0, 3.0):
        wanted = request(seed=4, guidance_scale=guidance_scale)
        (frame,) = running.generate([wanted])
        assert frame.path.endswith(", no T5")
        expected = theirs(checkpoint(), wanted, without_t5=True)
        assert difference(frame.image, expected) <= TOLERANCE
        assert difference(frame.image, one(checkpoint(), wanted).image) > TOLERANCE
    assert running.device_text == "CPU, fp32 (as asked); without T5"
    assert running.conditioning.num_t5_runs == 0


# --- previews and stopping


def test_previews_are_what_the_model_sees_at_each_step(checkpoint: Checkpoint) -> None:
    """As diffusers would show them: x − σ·v of each step, by the tiny VAE."""
    text, _ = pipelines(checkpoint())
    seen: list[torch.Tensor] = []
    small = checkpoints_sd3.parts(checkpoint())["tiny_vae"]

    def watch(pipeline: Any, step: int, t: torch.Tensor, values: dict[str, Any]) -> dict[str, Any]:
        seen.append(values["latents"])
        return values

    wanted = request(seed=6)
    text(
        prompt=wanted.prompt,
        width=64,
        height=64,
        num_inference_steps=4,
        guidance_scale=0.0,
        generator=torch.Generator().manual_seed(6),
        output_type="latent",
        callback_on_step_end=watch,
    )
    sigmas = text.scheduler.sigmas
    frames = list(backend(checkpoint()).stream([wanted]))
    assert [frame.step for frame in frames] == [1, 2, 3, 4]
    noise = torch.randn((1, 16, 8, 8), generator=torch.Generator().manual_seed(6))
    before = [noise, *seen[:-1]]
    for step in range(3):
        v = (seen[step] - before[step]) / (sigmas[step + 1] - sigmas[step])
        clean = before[step] - sigmas[step] * v
        with torch.inference_mode():
            decoded = small.decode(clean, return_dict=False)[0][0]
        expected = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
        assert difference(frames[step].image, expected.astype(np.uint8)) <= TOLERANCE


def test_without_a_tiny_vae_previews_are_the_full_ones_at_half_size(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = checkpoints_sd3.parts(checkpoint())
    del parts["tiny_vae"]
    decoded: list[tuple[int, ...]] = []
    decode = parts["vae"].decode

    def watch(latents: torch.Tensor, **options: Any) -> Any:
        decoded.append(tuple(latents.shape))
        return decode(latents, **options)

    monkeypatch.setattr(parts["vae"], "decode", watch)
    frames = list(load(checkpoint(), parts=parts).stream([request(width=128)]))
    assert [frame.kind for frame in frames] == ["preview"] * 3 + ["frame"]
    assert decoded == [(1, 16, 4, 8)] * 3 + [(1, 16, 8, 16)]
    assert {frame.image.shape for frame in frames} == {(64, 128, 3)}
    # the same picture, softer: the last step's clean latents are near the third's
    last, preview = (frames[n].image.astype(float) for n in (3, 2))
    assert np.abs(last.mean((0, 1)) - preview.mean((0, 1))).max() < 40


def test_who_has_fewer_steps_joins_later_and_all_end_together(checkpoint: Checkpoint) -> None:
    batch = [request(image=drawing(1), strength=0.3), request(seed=2)]
    frames = list(backend(checkpoint()).stream(batch))
    assert [(frame.index, frame.step, frame.num_denoising_steps) for frame in frames] == [
        (1, 1, 4),
        (1, 2, 4),
        (0, 1, 2),
        (1, 3, 4),
        (0, 2, 2),
        (1, 4, 4),
    ]
    assert [frame.is_last for frame in frames] == [False] * 4 + [True] * 2


class Counted(torch.nn.Module):
    """A network that counts its calls."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.config = network.config
        self.num_calls = 0

    def forward(self, *args: Any, **options: Any) -> Any:
        self.num_calls += 1
        return self.network(*args, **options)


@pytest.mark.parametrize("num_allowed", [0, 1, 2, 3])
def test_a_superseded_request_runs_no_further_step(
    checkpoint: Checkpoint, num_allowed: int
) -> None:
    parts = checkpoints_sd3.parts(checkpoint())
    parts["transformer"] = Counted(parts["transformer"])
    running = load(checkpoint(), parts=parts)
    answers: Iterator[bool] = iter([False] * num_allowed + [True])
    frames = list(running.stream([request()], lambda: next(answers, True)))
    steps = min(num_allowed + 1, 4)
    assert parts["transformer"].num_calls == steps
    assert len(frames) == steps
    assert any(frame.is_last for frame in frames) == (num_allowed == 3)


def test_whoever_stops_reading_stops_the_steps(checkpoint: Checkpoint) -> None:
    parts = checkpoints_sd3.parts(checkpoint())
    parts["transformer"] = Counted(parts["transformer"])
    stream = load(checkpoint(), parts=parts).stream([request()])
    next(stream)
    assert not torch.is_inference_mode_enabled(), "the mode does not leak to the reader"
    stream.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert parts["transformer"].num_calls == 1


# --- what is kept


def test_t5_does_not_run_again_for_the_same_prompt(checkpoint: Checkpoint) -> None:
    running = load(checkpoint())
    for seed in range(4):
        running.generate([request(seed=seed, num_inference_steps=1)])
    kept = running.conditioning.kept
    assert (running.conditioning.num_t5_runs, kept.num_misses, kept.num_hits) == (1, 1, 3)
    running.generate([request(prompt="a dog", num_inference_steps=1)])
    running.generate([request(num_inference_steps=1)])
    assert running.conditioning.num_t5_runs == 2
    with torch.inference_mode():
        for number in range(MAX_KEPT_PROMPTS + 5):
            running.conditioning.embeds(f"prompt {number}")
    assert len(kept) == MAX_KEPT_PROMPTS


def test_a_sketch_is_encoded_once_for_each_size(checkpoint: Checkpoint) -> None:
    running = load(checkpoint())
    kept = running.latents["full"].kept
    for seed in range(3):
        running.generate([request(image=drawing(1), seed=seed, num_inference_steps=1)])
    assert (kept.num_misses, kept.num_hits) == (1, 2)
    wide = request(image=drawing(1), width=128, num_inference_steps=1)
    running.generate([wide])
    running.generate([request(image=drawing(2), num_inference_steps=1)])
    assert (kept.num_misses, kept.num_hits) == (3, 2)
    assert len(running.latents["tiny"].kept) == 0


def test_sketches_of_the_largest_size_stay_within_their_bound(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No memory plan counts them."""
    latents = load(checkpoint()).latents["full"]

    def encoded(_: object) -> Encoded:
        mean, deviation = (torch.zeros((1, 16, 128, 128), dtype=torch.bfloat16) for _ in range(2))
        return Encoded(mean, deviation)

    monkeypatch.setattr(latents, "_encode", encoded)
    for number in range(20):
        latents.encode(Sketch(drawing(number)), 1024, 1024)
    mebibyte = 1024 * 1024
    assert (len(latents.kept), latents.kept.size) == (16, 16 * mebibyte)
    latents.encode(Sketch(drawing(19)), 1024, 1024)
    assert latents.kept.num_hits == 1, "the newest is there"


def test_warming_up_leaves_no_sketch_behind(checkpoint: Checkpoint) -> None:
    running = load(checkpoint())
    running.warm_up(64, 64)
    assert len(running.latents["full"].kept) == 0
    assert running.generate([request()])
    running.close()
    assert running.device_text, "a page may still ask"


# --- what can be wrong


def test_no_step_is_an_error_that_names_both(checkpoint: Checkpoint) -> None:
    wanted = request(image=drawing(), num_inference_steps=2, strength=1e-20)
    with pytest.raises(InvalidRequest) as caught:
        backend(checkpoint()).generate([wanted])
    assert caught.value.field == "num_inference_steps"
    assert "strength" in str(caught.value)
    assert "2 × 1e-20" in str(caught.value)


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 28, 50])
def test_steps_are_counted_as_diffusers_counts(checkpoint: Checkpoint, steps: int) -> None:
    _, image = pipelines(checkpoint())
    image.scheduler.set_timesteps(steps)
    for number in range(1, 21):
        wanted = request(image=drawing(), num_inference_steps=steps, strength=number / 20)
        expected = image.get_timesteps(steps, wanted.strength, "cpu")[1]
        assert flow.num_denoising_steps(wanted, default=4) == expected


@pytest.mark.parametrize("number", range(1, 21))
def test_none_is_the_familys_steps_at_every_strength(checkpoint: Checkpoint, number: int) -> None:
    wanted = request(image=drawing(), strength=number / 20)
    frame = one(checkpoint(), wanted)
    assert frame.num_denoising_steps == flow.num_denoising_steps(wanted, default=4)
    assert difference(frame.image, theirs(checkpoint(), wanted)) <= TOLERANCE


def test_the_familys_own_default_is_four(checkpoint: Checkpoint) -> None:
    spec = replace(checkpoints_sd3.spec(checkpoint()), default_num_inference_steps=None)
    parts = checkpoints_sd3.parts(checkpoint())
    (frame,) = Sd3Turbo(spec, parts, compute.choose("cpu")).generate([request()])
    assert frame.num_denoising_steps == 4
    spec = replace(spec, default_num_inference_steps=2)
    (frame,) = Sd3Turbo(spec, parts, compute.choose("cpu")).generate([request()])
    assert frame.num_denoising_steps == 2


def test_a_vae_that_is_not_loaded_is_named(checkpoint: Checkpoint) -> None:
    parts = checkpoints_sd3.parts(checkpoint())
    del parts["tiny_vae"]
    with pytest.raises(InvalidRequest, match="vae is 'tiny'; allowed: full"):
        load(checkpoint(), parts=parts).generate([request(vae="tiny")])


class Broken(torch.nn.Module):
    """A transformer that fails in one way."""

    def __init__(self, network: Any, how: str) -> None:
        super().__init__()
        self.network, self.config, self.how = network, network.config, how

    def forward(self, *args: Any, **options: Any) -> Any:
        (v,) = self.network(*args, **options)
        if self.how == "nan":
            v[..., 0, 0] = float("nan")
        elif self.how == "inf":
            v[..., 0, 0] = float("inf")
        elif self.how == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")
        elif self.how == "failure":
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        return (v,)


@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("nan", BackendFailure, "overflowed in fp32, so there is no picture"),
        ("inf", BackendFailure, "overflowed in fp32, so there is no picture"),
        ("memory", OutOfMemory, "ran out of memory"),
        ("failure", BackendFailure, "The model failed on this frame"),
    ],
)
def test_a_failure_is_told_in_plain_words_and_the_next_frame_comes(
    checkpoint: Checkpoint, how: str, kind: type[BackendFailure], said: str
) -> None:
    parts = checkpoints_sd3.parts(checkpoint())
    parts["transformer"] = Broken(parts["transformer"], how)
    running = load(checkpoint(), parts=parts)
    with pytest.raises(kind) as caught:
        list(running.stream([request()]))
    assert said in caught.value.user_text
    parts["transformer"].how = "works"
    assert running.generate([request()])[0].is_last


def test_a_picture_that_overflows_is_not_shown_black(checkpoint: Checkpoint) -> None:
    parts = checkpoints_sd3.parts(checkpoint())
    with torch.no_grad():
        parts["vae"].decoder.conv_out.weight.fill_(float("inf"))
    with pytest.raises(BackendFailure, match="not finite"):
        load(checkpoint(), parts=parts).generate([request()])
