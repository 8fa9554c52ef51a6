"""Sketches as latents, kept by content; a VAE that overflows runs in a wider number type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import checkpoints
from tests.backends.conftest import MakeCheckpoint
from tests.backends.parity import TOLERANCE, difference, drawing
from turbo_ui.backends import latents as latents_module
from turbo_ui.backends.compute import Compute
from turbo_ui.backends.latents import VaeLatents
from turbo_ui.backends.loading import load_spec
from turbo_ui.backends.unet_turbo import UnetTurbo
from turbo_ui.errors import BackendFailure
from turbo_ui.frames import FrameRequest, Pixels, Sketch

TOO_MUCH = 1e5
"""Times what fp16 holds at most, 65504, once a layer has added it up; the next norm undoes it."""
ONE = 2 * 4 * 8 * 8 * 4
"""Bytes of a sketch's latents: mean and deviation of 4 channels of 8 × 8 in fp32."""


def quiet(*args: Any, **kwargs: Any) -> None:
    """A load report that nobody reads."""


def full_vae(overflow_in: str = "") -> Any:
    """A full VAE in fp16, whose encoder or decoder leaves fp16's range on the way."""
    with checkpoints.seeded():
        vae = checkpoints.vae("kl")
    if overflow_in:
        first = getattr(vae, overflow_in).conv_in
        with torch.no_grad():
            first.weight.mul_(TOO_MUCH)
    return vae.half().eval().requires_grad_(False)


def latents_of(vae: Any, dtype: torch.dtype = torch.float16, **options: Any) -> VaeLatents:
    compute = Compute(torch.device("cpu"), dtype, "a test", False, 4)
    return VaeLatents(vae.to(dtype), compute, **options)


def some_latents() -> torch.Tensor:
    return torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(1)).half()


def test_a_decoder_that_overflows_is_widened_once() -> None:
    expected = latents_of(full_vae("decoder"), torch.float32).decode(some_latents().float())
    vae = full_vae("decoder")
    ours = latents_of(vae)
    calls: list[torch.dtype] = []
    vae.decoder.register_forward_pre_hook(lambda _, inputs: calls.append(inputs[0].dtype))
    assert not ours.network.is_widened
    for _ in range(2):
        pixels = ours.decode(some_latents())
        assert difference(pixels.numpy(), expected.numpy()) <= TOLERANCE
    assert pixels.float().std() > 10, "a picture in which a difference would be seen"
    assert calls == [torch.float16, torch.float32, torch.float32]
    assert ours.network.is_widened
    assert ours.network.dtype == torch.float32


def test_an_encoder_that_overflows_is_widened_and_its_sketches_are_made_anew() -> None:
    sketch, other = Sketch(drawing(1)), Sketch(drawing(2))
    expected = latents_of(full_vae("encoder"), torch.float32).encode(sketch, 64, 64)
    ours = latents_of(full_vae("encoder"))
    ours.kept.get((other.digest, 64, 64), lambda: expected)
    found = ours.encode(sketch, 64, 64)
    assert ours.network.is_widened
    torch.testing.assert_close(found.mean, expected.mean)
    assert len(ours.kept) == 1, "what fp16 made is not used beside what fp32 makes"


@pytest.mark.parametrize(
    ("dtype", "heeds_upcast", "expected"),
    [
        (torch.float16, True, torch.float32),
        (torch.float16, False, torch.float16),
        (torch.bfloat16, True, torch.bfloat16),
        (torch.float32, True, torch.float32),
    ],
)
def test_a_vae_known_to_overflow_never_runs_in_fp16_where_its_pipelines_say_so(
    dtype: torch.dtype, heeds_upcast: bool, expected: torch.dtype
) -> None:
    vae = full_vae()
    assert vae.config.force_upcast
    ours = latents_of(vae, dtype, heeds_upcast=heeds_upcast)
    assert ours.network.dtype == expected
    assert {weights.dtype for weights in vae.parameters()} == {expected}


def test_the_tiny_vae_stays_in_fp16() -> None:
    tiny = checkpoints.vae("tiny").eval()
    assert latents_of(tiny, heeds_upcast=True).network.dtype == torch.float16


def test_what_no_type_can_hold_is_an_error_and_the_next_picture_comes() -> None:
    ours = latents_of(full_vae())
    nothing = torch.full((1, 4, 8, 8), torch.nan, dtype=torch.float16)
    with pytest.raises(BackendFailure, match="not finite") as caught:
        ours.decode(nothing)
    assert "board is kept" in caught.value.user_text
    assert "--dtype bf16" in caught.value.user_text
    assert not ours.network.is_widened, "the VAE could not help it"
    assert ours.decode(some_latents()).shape == (2, 64, 64, 3)


@pytest.fixture
def folder(checkpoint: MakeCheckpoint) -> Path:
    return checkpoint(vae_kind="kl")


def backend(folder: Path) -> UnetTurbo:
    running = load_spec(checkpoints.spec(folder), quiet, device="cpu")
    assert isinstance(running, UnetTurbo)
    return running


def request(**fields: Any) -> FrameRequest:
    return FrameRequest(**{"model": "tiny-turbo", "width": 64, "height": 64, **fields})


def test_path_and_device_say_that_the_vae_was_widened(folder: Path) -> None:
    loaded = load_spec(checkpoints.spec(folder), quiet, device="cpu", dtype="fp16")
    assert isinstance(loaded, UnetTurbo)
    loaded.latents = latents_of(full_vae("decoder"), title="full VAE")
    before = loaded.device_text
    (frame,) = loaded.generate([request(image=drawing())])
    assert frame.path == "cpu fp16 full VAE in fp32 eager batch 1"
    assert loaded.device_text == before + ", full VAE in fp32, as fp16 overflows"
    loaded.close()
    assert "full VAE in fp32" in loaded.device_text, "a page may still ask"


def test_sessions_that_draw_by_turns_keep_their_own_sketches(folder: Path) -> None:
    """Two sketches that differ in one pixel, each in front of the other all the time."""
    mine = drawing(1)
    yours = mine.copy()
    yours[0, 0] = 255 - yours[0, 0]
    running = backend(folder)
    pictures: dict[str, list[Pixels]] = {"mine": [], "yours": []}
    for _ in range(3):
        for name, pixels in (("mine", mine), ("yours", yours)):
            (frame,) = running.generate([request(image=pixels, strength=0.1, seed=4)])
            pictures[name].append(frame.image)
    kept = running.latents.kept
    assert (kept.num_misses, kept.num_hits) == (2, 4)
    for name, pixels in (("mine", mine), ("yours", yours)):
        (alone,) = backend(folder).generate([request(image=pixels, strength=0.1, seed=4)])
        for picture in pictures[name]:
            assert np.array_equal(picture, alone.image)
    assert not np.array_equal(pictures["mine"][0], pictures["yours"][0])


def test_one_sketch_at_two_sizes_is_two(folder: Path) -> None:
    running = backend(folder)
    for width in (64, 128, 64, 128):
        running.generate([request(image=drawing(), width=width)])
    assert (running.latents.kept.num_misses, running.latents.kept.num_hits) == (2, 2)


def test_a_drawing_hand_fills_no_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latents_module, "MAX_KEPT_BYTES", 3 * ONE + ONE // 2)
    running = backend(folder)
    kept = running.latents.kept
    resting = request(image=drawing(99))
    for stroke in range(8):
        running.generate([request(image=drawing(stroke))])
        running.generate([resting])
        assert kept.size <= 3 * ONE
    assert (len(kept), kept.size) == (3, 3 * ONE)
    assert kept.num_hits == 7, "whoever asks again is not pushed out by new strokes"
    running.generate([request(image=drawing(), width=128)])
    assert (len(kept), kept.size) == (2, 3 * ONE), "one of twice the size takes the place of two"


def test_what_somebody_holds_stays_however_much_others_draw(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents_module, "MAX_KEPT_BYTES", 3 * ONE)
    running = backend(folder)
    kept = running.latents.kept
    resting = [request(image=drawing(90)), request(image=drawing(91))]
    for held in resting:
        running.generate([held])
    for stroke in range(8):
        running.generate([request(image=drawing(stroke))])
    before = kept.num_misses
    for held in resting:
        running.generate([request(image=held.sketch, prompt="another")])
    assert (kept.num_misses, kept.num_hits, len(kept)) == (before, 2, 3)
    del resting, held
    for stroke in range(8):
        running.generate([request(image=drawing(stroke))])
    running.generate([request(image=drawing(90))])
    assert kept.num_hits == 2, "what nobody holds any more goes as all else does"


def test_where_more_is_held_than_there_is_room_for_the_least_recently_used_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents_module, "MAX_KEPT_BYTES", 3 * ONE)
    running = backend(folder)
    kept = running.latents.kept
    held = [request(image=drawing(number)) for number in range(5)]
    for each in held:
        running.generate([each])
    assert kept.size == 3 * ONE
    for each in reversed(held):
        running.generate([each])
    assert (kept.num_misses, kept.num_hits) == (7, 3)


@pytest.mark.parametrize("who_stays", ["the first", "the last"])
def test_equal_sketches_of_two_sessions_are_one_as_long_as_either_holds_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, who_stays: str
) -> None:
    monkeypatch.setattr(latents_module, "MAX_KEPT_BYTES", 2 * ONE)
    running = backend(folder)
    both = [request(image=drawing(90)), request(image=drawing(90))]
    for each in both:
        running.generate([each])
    yours = both[0 if who_stays == "the first" else 1]
    del both, each
    for stroke in range(4):
        running.generate([request(image=drawing(stroke))])
    running.generate([yours])
    assert (running.latents.kept.num_misses, running.latents.kept.num_hits) == (5, 2)
    held = running.latents._held
    assert len(held._sketches) <= 2, "what is gone leaves nothing behind"
    assert yours.sketch is not None
    assert len(held._sketches[yours.sketch.digest, 64, 64]) == 1


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("kind", ["kl", "tiny"])
def test_what_is_kept_of_a_sketch_is_its_latents_and_no_more(
    kind: checkpoints.VaeKind, channels_last: bool
) -> None:
    """And not the VAE's whole answer behind a view of it."""
    with checkpoints.seeded():
        vae: Any = checkpoints.vae(kind).eval()
    compute = Compute(torch.device("cpu"), torch.float32, "a test", channels_last, 4)
    with torch.inference_mode():
        encoded = VaeLatents(vae, compute).encode(Sketch(drawing()), 64, 64)
    num_tensors = 1 if encoded.deviation is None else 2
    assert encoded.num_bytes == num_tensors * encoded.mean.numel() * 4
