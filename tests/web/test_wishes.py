"""Wishes: what changed is merged, what is wrong is refused by name and changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from turbo_ui.catalog import DOODLE
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import Sketch
from turbo_ui.web.wishes import Wishes

LARGE = replace(DOODLE, id="large", default_size_px=512, min_size_px=256, max_size_px=1024)


def test_changes_add_up_and_null_goes_back_to_the_default() -> None:
    wishes = Wishes(2000)
    wishes.merge({"prompt": "a cat", "seed": 3, "num_inference_steps": 2})
    wishes.merge({"strength": 0.4, "num_inference_steps": None})
    request = wishes.request(DOODLE, None)
    assert (request.prompt, request.seed, request.strength) == ("a cat", 3, 0.4)
    assert request.num_inference_steps is None


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"strength": 0}, "strength"),
        ({"strength": "0.5"}, "strength"),
        ({"strength": True}, "strength"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**40}, "seed"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"num_inference_steps": [1]}, "num_inference_steps"),
        ({"width": 7}, "width"),
        ({"height": 10**9}, "height"),
        ({"prompt": "x" * 101}, "prompt"),
        ({"prompt": {"a": 1}}, "prompt"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ([], "params"),
        ("prompt", "params"),
    ],
)
def test_a_wrong_value_is_named_and_nothing_changes(params: Any, field: str) -> None:
    wishes = Wishes(100)
    wishes.merge({"prompt": "kept", "seed": 5})
    with pytest.raises(InvalidRequest) as caught:
        wishes.merge(params)
    assert caught.value.field == field
    assert wishes.params == {"prompt": "kept", "seed": 5}


def test_unknown_parameters_are_ignored() -> None:
    wishes = Wishes(100)
    wishes.merge({"prompt": "a", "image": "/etc/passwd", "vae": "odd", "later": 1})
    assert wishes.params == {"prompt": "a"}


def test_the_size_is_held_to_what_the_model_can_draw() -> None:
    wishes = Wishes(100)
    wishes.merge({"width": 2048, "height": 304})
    assert wishes.size_px(LARGE) == (1024, 320)
    wishes.merge({"height": None})
    assert wishes.size_px(LARGE) == (1024, 512)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, (1536, 1024)),
        ({"width": 1024, "height": 1536}, (1024, 1536)),
        ({"width": 384, "height": 704}, (1024, 1536)),
        ({"height": 2048}, (1024, 1536)),
        ({"width": 512, "height": 512}, (1536, 1024)),
    ],
)
def test_a_model_of_a_few_sizes_draws_the_nearest_of_them(
    changes: dict[str, int], size: tuple[int, int]
) -> None:
    far = replace(LARGE, id="far", only_sizes_px=((1536, 1024), (1024, 1536)))
    wishes = Wishes(100)
    wishes.merge({"width": 256, "height": 256})
    refined = wishes.refine(far, changes, None)
    assert (refined.width, refined.height) == size
    wishes.merge({"width": None, "height": None, **changes})
    assert wishes.size_px(far) == size


def test_the_request_names_the_weights_that_draw_it() -> None:
    pinned = replace(LARGE, revision="0123abc")
    assert Wishes(100).request(pinned, None).revision == "0123abc"
    assert Wishes(100).request(LARGE, None).revision is None


def test_no_wish_is_the_models_own_size() -> None:
    assert Wishes(100).size_px(LARGE) == (512, 512)


def test_a_refine_has_the_same_wishes_and_its_models_own_size_and_steps() -> None:
    wishes = Wishes(2000)
    wishes.merge({"prompt": "a cat", "seed": 3, "num_inference_steps": 2, "width": 256})
    slow = replace(LARGE, id="slow", default_size_px=1024, default_num_inference_steps=4)
    before = dict(wishes.params)
    request = wishes.refine(slow, {"strength": 0.4}, None)
    assert (request.model, request.prompt, request.seed) == ("slow", "a cat", 3)
    assert (request.width, request.height, request.num_inference_steps) == (1024, 1024, 4)
    assert request.strength == 0.4
    assert wishes.params == before
    assert wishes.refine(slow, {"width": 512, "num_inference_steps": 1}, None).width == 512
    with pytest.raises(InvalidRequest):
        wishes.refine(slow, {"seed": -1}, None)


def test_a_model_that_takes_no_sketch_is_sent_none() -> None:
    sketch = Sketch(np.zeros((64, 64, 3), np.uint8))
    assert Wishes(9).request(LARGE, sketch).image == sketch
    assert Wishes(9).request(replace(LARGE, takes_sketch=False), sketch).image is None


def test_a_size_of_ones_own_while_the_hand_moves() -> None:
    slow = replace(LARGE, default_size_px=1024, live_size_px=768)
    assert Wishes(9).size_px(slow) == (768, 768)
    assert Wishes(9).refine(slow, {}, None).width == 1024


def test_a_sketch_that_is_white_all_over_is_none() -> None:
    white = Sketch(np.full((8, 8, 3), 255, np.uint8))
    drawn = Sketch(np.zeros((8, 8, 3), np.uint8))
    assert Wishes(9).request(LARGE, white).image is None
    assert Wishes(9).request(LARGE, drawn).image is drawn
