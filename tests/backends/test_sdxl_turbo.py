"""SDXL-Turbo in the same backend: two text encoders, sizes told to the UNet, ancestral noise. Its
pictures are those of diffusers' own pipelines."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import checkpoints
from tests.backends.conftest import MakeCheckpoint
from tests.backends.parity import TOLERANCE, Reference, check_step_counts, difference, drawing
from turbo_ui.backends.conditioning import Conditions
from turbo_ui.backends.loading import load_spec
from turbo_ui.backends.unet_turbo import UnetTurbo
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import Frame, FrameRequest, Pixels

MODEL = "tiny-sdxl-turbo"
VAES = ("kl", "tiny")


def request(**fields: Any) -> FrameRequest:
    return FrameRequest(**{"model": MODEL, "width": 64, "height": 64, "prompt": "a cat", **fields})


def quiet(*args: Any, **kwargs: Any) -> None:
    """A load report that nobody reads."""


def fresh(folder: Path) -> UnetTurbo:
    """A backend with nothing kept yet."""
    spec = checkpoints.spec(folder, MODEL, max_size_px=1024)
    made = load_spec(spec, quiet, device="cpu")
    assert isinstance(made, UnetTurbo)
    made.max_batch = 8
    return made


backend = cache(fresh)
reference = cache(Reference.of_sdxl)


def theirs(folder: Path, wanted: FrameRequest) -> Pixels:
    return reference(folder).picture(wanted)


def one(folder: Path, wanted: FrameRequest) -> Frame:
    (frame,) = backend(folder).generate([wanted])
    return frame


@pytest.mark.parametrize("vae_kind", VAES)
@pytest.mark.parametrize("strength", [0.013, 0.3, 0.6, 0.85, 1.0])
def test_one_step_from_a_sketch_is_diffusers(
    sdxl_checkpoint: MakeCheckpoint, vae_kind: str, strength: float
) -> None:
    folder = sdxl_checkpoint(vae_kind=vae_kind)
    wanted = request(image=drawing(), strength=strength, seed=11)
    frame = one(folder, wanted)
    assert frame.num_denoising_steps == 1
    assert frame.image.std() > 10, "a picture in which a difference would be seen"
    assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("number", range(1, 21))
def test_none_is_one_step_at_every_strength(sdxl_checkpoint: MakeCheckpoint, number: int) -> None:
    folder = sdxl_checkpoint()
    wanted = request(image=drawing(), strength=number / 20)
    frame = one(folder, wanted)
    assert (frame.step, frame.num_denoising_steps) == (1, 1)
    assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


def test_steps_are_counted_as_diffusers_counts_them(sdxl_checkpoint: MakeCheckpoint) -> None:
    check_step_counts(reference(sdxl_checkpoint()), request(image=drawing()))


def test_no_step_is_an_error_that_names_both(sdxl_checkpoint: MakeCheckpoint) -> None:
    wanted = request(image=drawing(), num_inference_steps=2, strength=0.4)
    with pytest.raises(InvalidRequest, match=r"2 × 0\.4 runs 0 steps") as caught:
        backend(sdxl_checkpoint()).generate([wanted])
    assert caught.value.field == "num_inference_steps"


@pytest.mark.parametrize("vae_kind", VAES)
@pytest.mark.parametrize("steps", [None, 1, 2, 4])
def test_text_to_image_is_diffusers(
    sdxl_checkpoint: MakeCheckpoint, vae_kind: str, steps: int | None
) -> None:
    folder = sdxl_checkpoint(vae_kind=vae_kind)
    wanted = request(num_inference_steps=steps, seed=5, strength=0.3)
    frame = one(folder, wanted)
    assert frame.num_denoising_steps == (steps or 1)
    assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("vae_kind", VAES)
@pytest.mark.parametrize(
    ("steps", "strength"), [(1, 1.0), (2, 0.5), (2, 1.0), (4, 0.5), (4, 0.74), (4, 1.0)]
)
def test_n_steps_from_a_sketch_are_diffusers(
    sdxl_checkpoint: MakeCheckpoint, vae_kind: str, steps: int, strength: float
) -> None:
    folder = sdxl_checkpoint(vae_kind=vae_kind)
    wanted = request(image=drawing(), num_inference_steps=steps, strength=strength, seed=3)
    frame = one(folder, wanted)
    assert frame.num_denoising_steps == int(steps * strength)
    assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("image", [None, 1])
@pytest.mark.parametrize("steps", [None, 2])
def test_guidance_with_zeros_for_no_prompt(
    sdxl_checkpoint: MakeCheckpoint, image: int | None, steps: int | None
) -> None:
    folder = sdxl_checkpoint()
    sketch = None if image is None else drawing(image)
    wanted = request(image=sketch, num_inference_steps=steps, guidance_scale=3.0, strength=0.8)
    assert difference(one(folder, wanted).image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize(
    ("width", "height"), [(256, 256), (512, 512), (768, 512), (256, 1024), (1024, 1024)]
)
def test_sizes_from_256_to_1024(sdxl_checkpoint: MakeCheckpoint, width: int, height: int) -> None:
    folder = sdxl_checkpoint()
    wanted = request(width=width, height=height, image=drawing(2, width, height))
    frame = one(folder, wanted)
    assert frame.image.shape == (height, width, 3)
    assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize(
    "prompt", ["", "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 20]
)
def test_no_prompt_and_one_that_is_cut(sdxl_checkpoint: MakeCheckpoint, prompt: str) -> None:
    folder = sdxl_checkpoint()
    wanted = request(prompt=prompt, image=drawing(), strength=0.9)
    assert difference(one(folder, wanted).image, theirs(folder, wanted)) <= TOLERANCE


def test_the_fp16_variant(sdxl_checkpoint: MakeCheckpoint) -> None:
    folder = sdxl_checkpoint(variant="fp16")
    assert (folder / "text_encoder_2" / "model.fp16.safetensors").is_file()
    wanted = request(image=drawing(), seed=2)
    expected = Reference.of_sdxl(folder, variant="fp16").picture(wanted)
    assert difference(one(folder, wanted).image, expected) <= TOLERANCE


@pytest.mark.parametrize("vae_kind", VAES)
def test_a_batch_gives_each_its_own_picture(sdxl_checkpoint: MakeCheckpoint, vae_kind: str) -> None:
    folder = sdxl_checkpoint(vae_kind=vae_kind)
    batch = [
        request(prompt="a cat", image=drawing(1), strength=0.3, seed=1),
        request(prompt="a dog", image=drawing(2), strength=0.9, seed=2),
        request(prompt="a cat", seed=1),
        request(prompt="", image=drawing(1), strength=0.3, seed=4),
    ]
    frames = backend(folder).generate(batch)
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    for wanted, frame in zip(batch, frames, strict=True):
        assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


def test_a_batch_of_many_steps_draws_each_seeds_own_noise(sdxl_checkpoint: MakeCheckpoint) -> None:
    folder = sdxl_checkpoint()
    batch = [
        request(prompt=f"thing {n}", image=drawing(n), num_inference_steps=4, strength=0.8, seed=n)
        for n in range(3)
    ]
    frames = list(backend(folder).stream(batch))
    steps = [(frame.step, frame.index, frame.kind) for frame in frames]
    assert steps == [
        (step, index, "frame" if step == 3 else "preview")
        for step in (1, 2, 3)
        for index in (0, 1, 2)
    ]
    for wanted, frame in zip(batch, frames[-3:], strict=True):
        assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("what", ["text_embeds", "time_ids", "first encoder", "second encoder"])
def test_all_that_the_unet_is_told_can_be_seen(
    sdxl_checkpoint: MakeCheckpoint, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the comparisons above would pass without it."""
    running = fresh(sdxl_checkpoint())
    wanted = request(image=drawing(), strength=0.9)
    before = running.generate([wanted])[0].image
    told = running.conditioning.conditions

    def without(requests: Any) -> Conditions:
        found = told(requests)
        assert found.added is not None
        embeds = found.prompt_embeds.clone()
        if what == "first encoder":
            embeds[..., :32] = 0
        elif what == "second encoder":
            embeds[..., 32:] = 0
        added = {
            name: torch.zeros_like(value) if name == what else value
            for name, value in found.added.items()
        }
        return Conditions(embeds, added)

    monkeypatch.setattr(running.conditioning, "conditions", without)
    assert difference(running.generate([wanted])[0].image, before) > 2 * TOLERANCE


def test_prompts_are_kept_and_sizes_are_not_among_them(sdxl_checkpoint: MakeCheckpoint) -> None:
    running = fresh(sdxl_checkpoint())
    kept = running.conditioning.kept
    running.generate([request(seed=1)])
    running.generate([request(seed=2, width=128)])
    assert (kept.num_misses, kept.num_hits) == (1, 1)
    wide = request(seed=2, width=128)
    assert difference(running.generate([wide])[0].image, theirs(sdxl_checkpoint(), wide)) <= 2
