"""Drawings and example sketches are complete, in bounds, and come out of their code unchanged."""

import json
from pathlib import Path

import numpy as np
import pytest

from training.doodle.data import read_names
from training.doodle.drawings import BOARD_PX, Drawing, all_drawings, render
from training.doodle.drawings.__main__ import EXAMPLES
from training.doodle.drawings.scenes import examples, to_json

FILES = sorted(EXAMPLES.glob("*.json"))


def check_stroke(stroke: dict, slack_px: int = 0) -> None:
    assert set(stroke) == {"color", "width", "points", "fill"}
    assert stroke["color"][0] == "#"
    assert 0 <= int(stroke["color"][1:], 16) <= 0xFFFFFF
    assert len(stroke["color"]) == 7
    assert stroke["width"] > 0
    assert isinstance(stroke["fill"], bool)
    points = np.asarray(stroke["points"])
    assert points.shape == (len(points), 2)
    assert len(points) >= (3 if stroke["fill"] else 1)
    assert points.min() >= -slack_px
    assert points.max() <= BOARD_PX - 1 + slack_px


def test_there_are_at_least_sixty_drawings_in_three_hands_of_trained_things() -> None:
    drawings = all_drawings()
    labels = [drawing.label for drawing in drawings]
    assert len(drawings) >= 60
    assert len(set(labels)) == len(labels)
    assert set(labels) <= set(read_names())
    hands = [drawing.hand for drawing in drawings]
    assert all(hands.count(hand) >= 20 for hand in ("blobs", "pen", "brush"))


def test_drawings_are_the_same_on_every_call() -> None:
    assert all_drawings() == all_drawings()


@pytest.mark.parametrize("drawing", all_drawings(), ids=lambda drawing: drawing.label)
def test_drawing_shows_something_within_the_board(drawing: Drawing) -> None:
    assert drawing.prompt
    for stroke in drawing.strokes:
        check_stroke(stroke)
    picture = render(drawing.strokes)
    assert picture.shape == (256, 256, 3)
    assert picture.dtype == np.uint8
    inked = (picture < 230).any(axis=-1)
    assert 0.01 < inked.mean() < 0.7
    if drawing.hand == "pen":
        assert len({stroke["color"] for stroke in drawing.strokes}) == 1


def test_nothing_drawn_is_white_paper_and_a_dot_is_where_it_was_put() -> None:
    assert (render([]) == 255).all()
    dot = {"color": "#0000ff", "width": 40, "points": [[128, 384]], "fill": False}
    picture = render([dot], size=128)
    assert tuple(picture[96, 32]) == (0, 0, 255)
    assert (picture[:64] == 255).all()


def test_examples_are_the_ones_their_code_writes() -> None:
    made = {f"{name}.json": to_json(example) for name, example in examples().items()}
    assert len(made) >= 8
    assert made == {file.name: file.read_text(encoding="utf-8") for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_example_has_title_prompt_strength_and_strokes(file: Path) -> None:
    example = json.loads(file.read_text(encoding="utf-8"))
    assert set(example) == {"title", "prompt", "strength", "strokes"}
    assert example["title"]
    assert example["prompt"]
    assert example["strength"] == 0.6
    for stroke in example["strokes"]:
        check_stroke(stroke)
    assert (render(example["strokes"], 64) < 230).any()
