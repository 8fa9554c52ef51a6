"""Requests are checked when they are made, compared by what they mean, and kept apart in
batches."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import Frame, FrameRequest, FrameTimings, Sketch

RED = np.full((8, 8, 3), (255, 0, 0), np.uint8)
BLUE = np.full((8, 8, 3), (0, 0, 255), np.uint8)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", ""),
        ("model", 3),
        ("model", "x" * 2000),
        ("revision", ""),
        ("prompt", None),
        ("prompt", 5),
        ("prompt", "x" * 2001),
        ("prompt", "x" * 100_000),
        ("image", "a picture"),
        ("image", np.zeros((8, 8), np.uint8)),
        ("image", np.zeros((8, 8, 4), np.uint8)),
        ("image", np.zeros((8, 8, 3), np.float32)),
        ("image", np.zeros((0, 8, 3), np.uint8)),
        ("image", np.zeros((1, 5000, 3), np.uint8)),
        ("strength", 0),
        ("strength", -0.1),
        ("strength", 1.01),
        ("strength", math.nan),
        ("strength", math.inf),
        ("strength", -math.inf),
        ("strength", 10**400),
        ("strength", "0.5"),
        ("strength", True),
        ("strength", None),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", 1.5),
        ("seed", math.nan),
        ("seed", True),
        ("num_inference_steps", 0),
        ("num_inference_steps", 51),
        ("num_inference_steps", -1),
        ("num_inference_steps", 2.0),
        ("num_inference_steps", math.inf),
        ("guidance_scale", -1),
        ("guidance_scale", math.nan),
        ("guidance_scale", math.inf),
        ("guidance_scale", 31),
        ("width", 63),
        ("width", 100),
        ("width", 2056),
        ("width", "256"),
        ("height", 0),
        ("height", -256),
        ("height", 256.0),
        ("vae", "small"),
        ("dtype", "fp8"),
    ],
)
def test_bad_input_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        FrameRequest(**{field: value})
    assert caught.value.field == field
    assert caught.value.allowed
    assert len(str(caught.value)) < 400


def test_good_input_is_taken_as_it_is() -> None:
    request = FrameRequest(
        prompt="x" * 2000,
        strength=1,
        seed=2**32 - 1,
        num_inference_steps=50,
        width=64,
        height=2048,
        image=RED,
    )
    assert request.strength == 1.0
    assert isinstance(request.strength, float)
    assert request.sketch == Sketch(RED)


def test_numpy_numbers_become_plain_ones() -> None:
    numbers: dict[str, Any] = {"seed": np.int64(3), "strength": np.float32(0.5)}
    request = FrameRequest(**numbers, width=128)
    assert json.dumps(request.to_json())
    assert request == FrameRequest(seed=3, strength=0.5, width=128)


def test_equal_requests_are_equal_and_hash_alike() -> None:
    first, second = FrameRequest(image=RED, seed=1), FrameRequest(image=RED.copy(), seed=1)
    assert first == second
    assert hash(first) == hash(second)
    assert first != FrameRequest(image=BLUE, seed=1)
    assert first != FrameRequest(image=RED, seed=2)


def test_a_request_cannot_be_changed() -> None:
    pixels = RED.copy()
    request = FrameRequest(image=pixels)
    pixels[:] = 0
    assert request.sketch == Sketch(RED), "the sketch is a copy"
    assert request.sketch is not None
    with pytest.raises(ValueError, match="read-only"):
        request.sketch.pixels[:] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.seed = 2  # type: ignore[misc]


def test_sketches_of_another_shape_differ() -> None:
    flat = np.zeros((4, 16, 3), np.uint8)
    assert Sketch(flat) != Sketch(flat.reshape(16, 4, 3))


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((8, 8, 3), 255, np.uint8), True),
        (np.full((8, 8, 3), 247, np.uint8), True),
        (np.full((8, 8, 3), 246, np.uint8), False),
        (RED, False),
        (np.zeros((8, 8, 3), np.uint8), False),
    ],
)
def test_an_empty_sketch_is_white_paper(pixels: np.ndarray, expected: bool) -> None:
    assert Sketch(pixels).is_empty is expected
    assert FrameRequest(image=pixels).is_text_to_image is expected


def test_no_sketch_is_text_to_image() -> None:
    assert FrameRequest().is_text_to_image


@pytest.mark.parametrize(
    "change", [{"prompt": "x"}, {"seed": 9}, {"strength": 0.1}, {"image": RED}]
)
def test_one_step_requests_share_a_batch(change: dict[str, Any]) -> None:
    assert FrameRequest().batch_key() == FrameRequest(**change).batch_key()


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"revision": "x"},
        {"width": 128},
        {"height": 128},
        {"guidance_scale": 2.0},
        {"num_inference_steps": 2},
        {"vae": "tiny"},
        {"dtype": "fp16"},
    ],
)
def test_what_cannot_share_a_batch(change: dict[str, Any]) -> None:
    assert FrameRequest().batch_key() != FrameRequest(**change).batch_key()


def test_many_step_requests_share_a_batch_at_one_strength_only() -> None:
    def key(**fields: Any) -> tuple[object, ...]:
        return FrameRequest(num_inference_steps=4, **fields).batch_key()

    assert key(image=RED, strength=0.5) == key(image=BLUE, strength=0.5, seed=3)
    assert key(image=RED, strength=0.5) != key(image=RED, strength=0.75)
    assert key(image=RED, strength=1.0) != key(strength=1.0)
    assert key(strength=0.5) == key(strength=0.75), "without a sketch the strength says nothing"


@given(
    st.builds(
        FrameRequest,
        prompt=st.text(max_size=50),
        strength=st.floats(0.001, 1),
        seed=st.integers(0, 2**32 - 1),
        num_inference_steps=st.none() | st.integers(1, 50),
        width=st.sampled_from([64, 256, 1024]),
        image=st.sampled_from([None, RED, BLUE]),
    )
)
def test_json_and_back(request: FrameRequest) -> None:
    packed = json.loads(json.dumps(request.to_json()))
    assert FrameRequest.from_json(packed, request.sketch) == request


@pytest.mark.parametrize(
    "data", [{"colour": 1}, {"image": "0" * 32}, {"strength": 7}, {1: 2}, [], "text", None]
)
def test_json_that_is_no_request(data: Any) -> None:
    with pytest.raises(InvalidRequest):
        FrameRequest.from_json(data)


def test_the_sketch_must_be_the_one_that_was_named() -> None:
    packed = FrameRequest(image=RED).to_json()
    with pytest.raises(InvalidRequest, match="digest"):
        FrameRequest.from_json(packed, Sketch(BLUE))


def test_timings_add_up() -> None:
    timings = FrameTimings(
        decode_ms=1,
        queue_wait_ms=2,
        text_encode_ms=4,
        vae_encode_ms=8,
        denoise_ms=16,
        vae_decode_ms=32,
        encode_ms=64,
    )
    assert timings.inference_ms == 60
    assert timings.total_ms == 127
    assert set(timings.to_json()) == {field.name for field in dataclasses.fields(timings)}


def test_a_frame_keeps_its_picture_when_its_timings_change() -> None:
    frame = Frame(image=RED, request=FrameRequest())
    later = frame.with_timings(encode_ms=3.0)
    assert later.timings.encode_ms == 3.0
    assert frame.timings.encode_ms == 0.0
    assert later.digest == frame.digest
    assert frame.digest != Frame(image=BLUE, request=FrameRequest()).digest
