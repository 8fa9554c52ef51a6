"""The SD-Turbo backend on tiny real models: its pictures are those of diffusers' own pipelines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import checkpoints
from tests.backends.conftest import MakeCheckpoint
from tests.backends.parity import TOLERANCE, Reference, check_step_counts, difference, drawing
from turbo_ui.backends.loading import load_spec
from turbo_ui.backends.sampling import one_step_timestep
from turbo_ui.backends.unet_turbo import UnetTurbo
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import Frame, FrameRequest, Pixels

MODEL = "tiny-turbo"


def quiet(*args: Any, **kwargs: Any) -> None:
    """A load report that nobody reads."""


def request(**fields: Any) -> FrameRequest:
    return FrameRequest(**{"model": MODEL, "width": 64, "height": 64, "prompt": "a cat", **fields})


@cache
def backend(folder: Path) -> UnetTurbo:
    made = load_spec(checkpoints.spec(folder), quiet, device="cpu")
    assert isinstance(made, UnetTurbo)
    made.max_batch = 8
    return made


@cache
def reference(folder: Path) -> Reference:
    return Reference.of_sd(folder)


def theirs(folder: Path, wanted: FrameRequest) -> Pixels:
    return reference(folder).picture(wanted)


def one(folder: Path, wanted: FrameRequest) -> Frame:
    (frame,) = backend(folder).generate([wanted])
    return frame


PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
VAES = ("tiny", "kl", "doodle")


@pytest.mark.parametrize("vae_kind", VAES)
@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
@pytest.mark.parametrize("strength", [0.013, 0.3, 0.6, 0.85, 1.0])
def test_one_step_from_a_sketch_is_diffusers(
    checkpoint: MakeCheckpoint, prediction_type: str, vae_kind: str, strength: float
) -> None:
    folder = checkpoint(prediction_type=prediction_type, vae_kind=vae_kind)
    wanted = request(image=drawing(), strength=strength, seed=11)
    frame = one(folder, wanted)
    assert frame.num_denoising_steps == 1
    assert frame.image.std() > 10, "a picture in which a difference would be seen"
    assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("vae_kind", VAES)
@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
@pytest.mark.parametrize("steps", [None, 1, 2, 4])
def test_text_to_image_is_diffusers(
    checkpoint: MakeCheckpoint, prediction_type: str, vae_kind: str, steps: int | None
) -> None:
    folder = checkpoint(prediction_type=prediction_type, vae_kind=vae_kind)
    wanted = request(num_inference_steps=steps, seed=5, strength=0.3)
    frame = one(folder, wanted)
    assert frame.num_denoising_steps == (steps or 1), "strength says nothing without a sketch"
    assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("vae_kind", ["tiny", "kl"])
@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
@pytest.mark.parametrize(("steps", "strength"), [(2, 0.5), (4, 0.5), (4, 0.74), (3, 1.0), (1, 1.0)])
def test_n_steps_from_a_sketch_are_diffusers(
    checkpoint: MakeCheckpoint, prediction_type: str, vae_kind: str, steps: int, strength: float
) -> None:
    folder = checkpoint(prediction_type=prediction_type, vae_kind=vae_kind)
    wanted = request(image=drawing(), num_inference_steps=steps, strength=strength, seed=3)
    frame = one(folder, wanted)
    assert frame.num_denoising_steps == int(steps * strength)
    assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("steps", [None, 3])
@pytest.mark.parametrize("image", [None, 1])
def test_an_ancestral_scheduler_too(
    checkpoint: MakeCheckpoint, steps: int | None, image: int | None
) -> None:
    folder = checkpoint(is_ancestral=True, vae_kind="kl")
    sketch = None if image is None else drawing(image)
    wanted = request(image=sketch, num_inference_steps=steps, strength=0.7, seed=8)
    assert difference(one(folder, wanted).image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("timestep_spacing", ["leading", "linspace"])
@pytest.mark.parametrize("steps", [None, 2])
@pytest.mark.parametrize("image", [None, 1])
def test_other_spacings_of_the_timesteps(
    checkpoint: MakeCheckpoint, timestep_spacing: str, steps: int | None, image: int | None
) -> None:
    folder = checkpoint(timestep_spacing=timestep_spacing)
    sketch = None if image is None else drawing(image)
    wanted = request(image=sketch, num_inference_steps=steps, strength=0.6, seed=8)
    assert difference(one(folder, wanted).image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("image", [None, 1])
@pytest.mark.parametrize("steps", [None, 2])
def test_guidance(checkpoint: MakeCheckpoint, image: int | None, steps: int | None) -> None:
    folder = checkpoint()
    sketch = None if image is None else drawing(image)
    wanted = request(image=sketch, num_inference_steps=steps, guidance_scale=3.0, strength=0.8)
    assert difference(one(folder, wanted).image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("vae_kind", ["tiny", "kl"])
def test_other_sizes_and_shapes(checkpoint: MakeCheckpoint, vae_kind: str) -> None:
    folder = checkpoint(vae_kind=vae_kind)
    for width, height in ((128, 64), (96, 160)):
        wanted = request(width=width, height=height, image=drawing(2, width, height))
        frame = one(folder, wanted)
        assert frame.image.shape == (height, width, 3)
        assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize(
    ("width", "height", "image"),
    [(256, 256, 2), (512, 512, 2), (512, 320, None), (320, 1024, 2), (1024, 1024, None)],
)
def test_sizes_from_256_to_1024(
    checkpoint: MakeCheckpoint, width: int, height: int, image: int | None
) -> None:
    folder = checkpoint(vae_kind="kl")
    running = load_spec(checkpoints.spec(folder, max_size_px=1024), quiet, device="cpu")
    sketch = None if image is None else drawing(image, width, height)
    wanted = request(width=width, height=height, image=sketch)
    (frame,) = running.generate([wanted])
    assert frame.image.shape == (height, width, 3)
    assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


@pytest.mark.parametrize("vae_kind", VAES)
def test_a_batch_gives_each_its_own_picture(checkpoint: MakeCheckpoint, vae_kind: str) -> None:
    folder = checkpoint(vae_kind=vae_kind)
    batch = [
        request(prompt="a cat", image=drawing(1), strength=0.3, seed=1),
        request(prompt="a dog", image=drawing(2), strength=0.9, seed=2),
        request(prompt="a cat", seed=1),
        request(prompt="", image=drawing(1), strength=0.3, seed=4),
    ]
    frames = backend(folder).generate(batch)
    assert [frame.request for frame in frames] == batch
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    for wanted, frame in zip(batch, frames, strict=True):
        assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


def test_a_batch_of_many_steps(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint(vae_kind="kl", is_ancestral=True)
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


def test_the_same_request_gives_the_same_pixels(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint(vae_kind="kl")
    wanted = request(image=drawing(), seed=9)
    first = one(folder, wanted).image
    backend(folder).generate([request(image=drawing(5), prompt="else", seed=1)])
    assert np.array_equal(one(folder, wanted).image, first)
    fresh = load_spec(checkpoints.spec(folder), quiet, device="cpu")
    assert np.array_equal(fresh.generate([wanted])[0].image, first)


@pytest.mark.parametrize("change", [{"seed": 2}, {"prompt": "a dog"}, {"strength": 0.7}])
def test_what_is_in_the_request_changes_the_picture(
    checkpoint: MakeCheckpoint, change: dict[str, Any]
) -> None:
    folder = checkpoint()
    plain = one(folder, request(image=drawing(), seed=1)).image
    changed = one(folder, request(**{"image": drawing(), "seed": 1, **change})).image
    assert not np.array_equal(plain, changed)


def test_an_empty_board_is_text_to_image(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    paper = np.full((64, 64, 3), 255, np.uint8)
    paper[3, 3] = 250  # a ripple of JPEG
    nothing = one(folder, request(seed=4)).image
    assert np.array_equal(one(folder, request(image=paper, seed=4)).image, nothing)


def test_a_sketch_of_another_size_is_fitted(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    assert one(folder, request(image=drawing(1, 128, 128))).image.shape == (64, 64, 3)


@pytest.mark.parametrize("number", range(1, 21))
def test_none_is_one_step_at_every_strength(checkpoint: MakeCheckpoint, number: int) -> None:
    strength = number / 20
    assert one_step_timestep(strength) == round(1000 * strength) - 1
    folder = checkpoint()
    wanted = request(image=drawing(), strength=strength)
    frame = one(folder, wanted)
    assert (frame.step, frame.num_denoising_steps) == (1, 1)
    assert difference(frame.image, theirs(folder, wanted)) <= TOLERANCE


def test_steps_are_counted_as_diffusers_counts_them(checkpoint: MakeCheckpoint) -> None:
    check_step_counts(reference(checkpoint()), request(image=drawing()))


def test_the_smallest_strength_is_still_a_step() -> None:
    assert one_step_timestep(math.ulp(0.0)) == 0


def test_no_step_is_an_error_that_names_both(checkpoint: MakeCheckpoint) -> None:
    wanted = request(image=drawing(), num_inference_steps=2, strength=0.4)
    with pytest.raises(InvalidRequest) as caught:
        backend(checkpoint()).generate([wanted])
    assert caught.value.field == "num_inference_steps"
    assert "strength" in str(caught.value)
    assert "2 × 0.4" in str(caught.value)


def test_it_stops_between_steps_and_can_go_on(checkpoint: MakeCheckpoint) -> None:
    running = backend(checkpoint())
    wanted = request(num_inference_steps=4)
    answers: Iterator[bool] = iter([False, True])
    frames = list(running.stream([wanted], lambda: next(answers)))
    assert [frame.step for frame in frames] == [1, 2]
    assert not any(frame.is_last for frame in frames)
    assert running.generate([wanted])[0].is_last


def test_a_one_step_frame_never_asks_whether_to_stop(checkpoint: MakeCheckpoint) -> None:
    frames = list(backend(checkpoint()).stream([request()], lambda: True))
    assert [frame.kind for frame in frames] == ["frame"]


def test_prompts_and_sketches_are_kept(checkpoint: MakeCheckpoint) -> None:
    running = load_spec(checkpoints.spec(checkpoint(vae_kind="kl")), quiet, device="cpu")
    assert isinstance(running, UnetTurbo)
    prompts, sketches = running.conditioning.kept, running.latents.kept
    for seed in range(4):
        running.generate([request(image=drawing(1), seed=seed)])
    assert (prompts.num_misses, prompts.num_hits) == (1, 3)
    assert (sketches.num_misses, sketches.num_hits) == (1, 3)
    running.generate([request(image=drawing(2), prompt="else")])
    assert (prompts.num_misses, sketches.num_misses) == (2, 2)
    for number in range(200):
        running.conditioning.conditions([request(prompt=f"prompt {number}")])
    assert len(prompts) == 128


def test_stages_are_measured(checkpoint: MakeCheckpoint) -> None:
    running = load_spec(checkpoints.spec(checkpoint()), quiet, device="cpu")
    wanted = request(image=drawing())
    first = running.generate([wanted])[0].timings
    assert min(first.text_encode_ms, first.vae_encode_ms) > 0.0
    again = running.generate([wanted])[0].timings
    assert min(again.denoise_ms, again.vae_decode_ms) > 0.0
    assert again.text_encode_ms < first.text_encode_ms
    assert again.encode_ms == 0.0


def test_the_path_is_told(checkpoint: MakeCheckpoint) -> None:
    frames = backend(checkpoint()).generate([request(seed=1), request(seed=2)])
    assert frames[0].path == "cpu fp32 full VAE eager batch 2"


def test_warming_up_leaves_no_sketch_behind(checkpoint: MakeCheckpoint) -> None:
    running = load_spec(checkpoints.spec(checkpoint()), quiet, device="cpu")
    assert isinstance(running, UnetTurbo)
    running.warm_up(64, 64)
    assert len(running.latents.kept) == 0
    running.close()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"width": 72}, "width"),
        ({"height": 512}, "height"),
        ({"vae": "tiny"}, "vae"),
        ({"dtype": "fp16"}, "dtype"),
    ],
)
def test_what_this_model_cannot_do_is_named(
    checkpoint: MakeCheckpoint, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        backend(checkpoint()).generate([request(**change)])
    assert caught.value.field == field


def test_after_a_refusal_the_next_picture_is_what_it_was(checkpoint: MakeCheckpoint) -> None:
    running = backend(checkpoint())
    wanted = request(image=drawing(), seed=6)
    (before,) = running.generate([wanted])
    refused = [{"width": 72}, {"dtype": "fp16"}, {"num_inference_steps": 2, "strength": 0.4}]
    for change in refused:
        with pytest.raises(InvalidRequest):
            running.generate([request(image=drawing(), **change)])
    (after,) = running.generate([wanted])
    assert np.array_equal(before.image, after.image)


def test_batches_that_cannot_be_are_refused(checkpoint: MakeCheckpoint) -> None:
    running = backend(checkpoint())
    for batch in ([], [request()] * 9, [request(), request(width=128)]):
        with pytest.raises(InvalidRequest, match="requests"):
            running.generate(batch)


def test_a_long_prompt_is_cut_as_diffusers_cuts_it(checkpoint: MakeCheckpoint) -> None:
    wanted = request(prompt="a b c d e f g h i j k l m n o p q r s t u v w x y z " * 20)
    folder = checkpoint()
    assert difference(one(folder, wanted).image, theirs(folder, wanted)) <= TOLERANCE
