"""The shipped model: an ordinary diffusers folder that paints what is drawn and said."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import turbo_ui
from turbo_ui.frames import FrameRequest

FOLDER = Path(__file__).parents[1] / "assets" / "doodle"
SIZE = 256
MAX_FOLDER_BYTES = 60_000_000


def circle(colour: str) -> np.ndarray:
    """A filled circle on white paper, `(256, 256, 3) uint8`."""
    sheet = Image.new("RGB", (SIZE, SIZE), "white")
    ImageDraw.Draw(sheet).ellipse((64, 64, 192, 192), fill=colour)
    return np.asarray(sheet)


@pytest.fixture(scope="module")
def backend() -> Any:
    return turbo_ui.load(str(FOLDER), device="cpu")


def paint(backend: Any, **values: Any) -> np.ndarray:
    request = FrameRequest(model=backend.spec.id, width=SIZE, height=SIZE, **values)
    return backend.generate([request])[0].image


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def test_the_files_are_the_ones_the_card_speaks_of() -> None:
    sums = json.loads((FOLDER / "checksums.json").read_text())
    found = {
        str(path.relative_to(FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FOLDER.rglob("*")
        if path.is_file() and path.parent != FOLDER
    }
    assert found == sums
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) <= MAX_FOLDER_BYTES


def test_it_loads_in_the_text_to_image_pipeline_as_it_is() -> None:
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(FOLDER)
    pipeline.set_progress_bar_config(disable=True)
    answer: Any = pipeline(
        "an apple", num_inference_steps=1, guidance_scale=0.0, height=SIZE, width=SIZE
    )
    picture = answer.images[0]
    assert picture.size == (SIZE, SIZE)
    assert np.asarray(picture).std() > 5


def test_it_loads_in_the_image_to_image_pipeline_and_equals_our_backend(backend: Any) -> None:
    import torch
    from diffusers import AutoPipelineForImage2Image

    pipeline = AutoPipelineForImage2Image.from_pretrained(FOLDER)
    pipeline.set_progress_bar_config(disable=True)
    sketch = circle("red")
    theirs = pipeline(
        "an apple",
        image=Image.fromarray(sketch),
        timesteps=[599],
        strength=1.0,
        guidance_scale=0.0,
        generator=torch.Generator().manual_seed(7),
        output_type="np",
    ).images[0]
    ours = paint(backend, prompt="an apple", image=sketch, strength=0.6, seed=7)
    assert np.abs(ours / 255 - theirs).max() <= 2 / 255 + 0.5 / 255


def test_the_same_seed_gives_the_same_pixels(backend: Any) -> None:
    values = {"prompt": "an apple", "image": circle("red"), "strength": 0.6, "seed": 3}
    first = paint(backend, **values)
    paint(backend, **{**values, "seed": 4})
    np.testing.assert_array_equal(first, paint(backend, **values))


def test_a_red_circle_and_apple_is_mostly_red_where_it_was_drawn(backend: Any) -> None:
    picture = paint(backend, prompt="apple", image=circle("red"), strength=0.6).astype(int)
    drawn = (circle("red") != 255).any(axis=2)
    red, green, blue = (picture[drawn][:, channel] for channel in range(3))
    assert ((red > green + 40) & (red > blue + 40)).mean() > 0.6
    assert picture[~drawn].mean() > 225, "the paper around it stays light"


def test_text_changes_the_picture(backend: Any) -> None:
    sketch = circle("orange")
    day = paint(backend, prompt="a tangerine on grass", image=sketch, strength=0.6)
    night = paint(backend, prompt="an owl, night sky", image=sketch, strength=0.6)
    assert difference(day, night) > 20


def test_an_empty_board_is_text_to_image(backend: Any) -> None:
    empty = np.full((SIZE, SIZE, 3), 255, np.uint8)
    from_board = paint(backend, prompt="a tree", image=empty, strength=0.6)
    from_text = paint(backend, prompt="a tree", image=None)
    np.testing.assert_array_equal(from_board, from_text)
    assert from_text[64:192, 64:192].std() > 15


@pytest.mark.parametrize("prompt", ["", "qzxw vrrk", "🦊", "a " * 400])
def test_no_prompt_breaks_it(backend: Any, prompt: str) -> None:
    picture = paint(backend, prompt=prompt, image=circle("red"), strength=0.6)
    assert picture.shape == (SIZE, SIZE, 3)
    assert picture.std() > 5


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a tangerine", (240, 150, 40)),
        ("a cactus", (70, 160, 70)),
        ("a strawberry", (225, 40, 60)),
        ("a banana", (245, 205, 60)),
        ("a bomb", (50, 30, 70)),
        ("a whale", (70, 150, 235)),
    ],
)
def test_text_alone_paints_the_thing_in_its_colour_on_white(
    backend: Any, prompt: str, wanted: tuple[int, int, int]
) -> None:
    picture = paint(backend, prompt=prompt, image=None).astype(int)
    painted = np.abs(picture - 255).max(axis=2) > 40
    assert 0.1 < painted.mean() < 0.6
    assert painted[64:192, 64:192].mean() > 0.4, "it is in the middle"
    assert np.abs(np.median(picture[painted], axis=0) - wanted).max() < 60


def test_two_things_are_painted_left_and_right(backend: Any) -> None:
    picture = paint(backend, prompt="a tangerine and a frog", image=None).astype(int)
    painted = np.abs(picture - 255).max(axis=2) > 40
    left, right = (
        np.median(half[shown], axis=0)
        for half, shown in (
            (picture[:, :128], painted[:, :128]),
            (picture[:, 128:], painted[:, 128:]),
        )
    )
    assert left[0] > left[1] + 30, "orange"
    assert right[1] > right[0], "green"


def test_no_frame_is_painted_around_a_picture(backend: Any) -> None:
    picture = paint(backend, prompt="a banana", image=None).astype(int)
    rim = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert np.abs(rim - 255).mean() < 4
    assert np.median(np.abs(rim - 255)) <= 3
