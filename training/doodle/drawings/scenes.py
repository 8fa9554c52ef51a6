"""The example sketches that the app offers: small scenes of one to three objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.doodle.drawings import blobs, brush, outlines
from training.doodle.drawings.strokes import BOARD_PX, Pen, Stroke

STRENGTH = 0.6
GRASS, SEA, SKY, NIGHT, SAND = "#7cc25a", "#3f97d8", "#bfe3fb", "#22264f", "#f2dca0"


def _ground(color: str, top: float, seed: int) -> list[Stroke]:
    """Everything below `top` px, with an uneven upper edge."""
    pen = Pen("blobs", size=100, place=(50, 50), seed=seed)
    far, edge = BOARD_PX + 16, (top, top - 6, top + 5, top - 3, top)
    xs = [-16 + (far + 16) * i / 4 for i in range(5)]
    pen.poly(color, *(v for xy in zip(xs, edge, strict=True) for v in xy), far, far, -16, far)
    return _clip(pen.strokes)


def _all_over(color: str) -> list[Stroke]:
    far = BOARD_PX - 1
    return [
        {
            "color": color,
            "width": 9.0,
            "points": [[0, 0], [far, 0], [far, far], [0, far]],
            "fill": True,
        }
    ]


def _object(
    draw: Callable[[Pen], None],
    place: tuple[float, float],
    size: float,
    hand: str = "blobs",
    turn: float = 0.0,
) -> list[Stroke]:
    pen = Pen(hand, place, size, turn, seed=round(place[0] + 7 * place[1] + size))
    draw(pen)
    return _clip(pen.strokes)


def _clip(strokes: list[Stroke]) -> list[Stroke]:
    for stroke in strokes:
        stroke["points"] = [
            [min(max(x, 0), BOARD_PX - 1), min(max(y, 0), BOARD_PX - 1)]
            for x, y in stroke["points"]
        ]
    return strokes


def _in_orange(strokes: list[Stroke]) -> list[Stroke]:
    """The blue fish in another colour: blue in blue water is hard to see."""
    other = {blobs.BLUE: "#ee7b1c", "#49a3f0": "#f79a35"}
    return [{**stroke, "color": other.get(stroke["color"], stroke["color"])} for stroke in strokes]


def _cat(p: Pen) -> None:
    fur, dark = "#f0a040", "#3a2a1c"
    p.poly(fur, 14, 46, 16, 6, 44, 22)
    p.poly(fur, 86, 46, 84, 6, 56, 22)
    p.oval(fur, 50, 56, 42, 36)
    p.poly("#f4b8b8", 20, 32, 21, 16, 33, 23)
    p.poly("#f4b8b8", 80, 32, 79, 16, 67, 23)
    p.dots(dark, 34, 52, 66, 52, radius=4.5)
    p.poly("#e0607a", 45, 64, 55, 64, 50, 70)
    p.curve(dark, 50, 70, 43, 79, 34, 75)
    p.curve(dark, 50, 70, 57, 79, 66, 75)


def _moon(p: Pen) -> None:
    p.smooth("#fbd95a", 62, 4, 30, 12, 12, 48, 28, 84, 64, 96, 40, 72, 36, 40)


def examples() -> dict[str, dict[str, Any]]:
    """Return the example sketches by file name (without ".json"), the same on every call.

    Each is ``{"title", "prompt", "strength", "strokes"}`` with strokes in board px.
    """
    car = _object(blobs.deciduous_tree, (190, 200), 372) + _object(
        blobs.automobile, (330, 396), 280
    )
    home = (
        _ground(GRASS, 390, 1)
        + _object(blobs.house, (226, 290), 290)
        + _object(brush.sun, (414, 100), 170)
    )
    sea = _ground(SEA, 372, 2) + _object(blobs.sailboat, (256, 222), 350)
    cat = _object(_cat, (168, 226), 290) + _object(blobs.red_apple, (400, 340), 190)
    night = (
        _all_over(NIGHT)
        + _ground("#cfdfee", 424, 3)
        + _object(blobs.snowman, (216, 306), 330)
        + _object(_moon, (404, 118), 190)
    )
    fish = _all_over("#9fd6f2") + _in_orange(_object(blobs.fish, (256, 256), 340, turn=-8))
    cake = _object(blobs.birthday_cake, (256, 262), 370)
    space = (
        _all_over(NIGHT)
        + _object(blobs.rocket, (180, 306), 320, turn=30)
        + _object(blobs.ringed_planet, (390, 132), 200)
    )
    owl = _object(blobs.owl, (256, 262), 380)
    garden = _object(blobs.sunflower, (330, 286), 380) + _object(blobs.honeybee, (112, 136), 180)
    castle = _object(outlines.castle, (256, 262), 400, hand="pen")
    beach = (
        _ground(SAND, 350, 4)
        + _object(brush.palm_tree, (160, 216), 330, hand="brush")
        + _object(brush.crab, (370, 388), 220, hand="brush")
    )
    table = {
        "car-under-a-tree": ("Car under a tree", "a red car under a tree", car),
        "house-and-sun": ("House and sun", "a house and the sun, on grass", home),
        "sailboat": ("Sailboat", "a sailboat on the sea", sea),
        "cat-and-apple": ("Cat and apple", "a cat face and an apple", cat),
        "snowman": ("Snowman at night", "a snowman and a moon, night sky", night),
        "orange-fish": ("Orange fish", "an orange fish in the sea", fish),
        "birthday-cake": ("Birthday cake", "a birthday cake, pink background", cake),
        "rocket": ("Rocket", "a rocket and a planet, night sky", space),
        "owl": ("Owl", "an owl", owl),
        "sunflower-and-bee": ("Sunflower and bee", "a bee and a sunflower", garden),
        "castle": ("Castle in one pen", "a castle at sunset", castle),
        "beach": ("On the beach", "a palm tree and a crab on the beach", beach),
    }
    return {
        name: {"title": title, "prompt": prompt, "strength": STRENGTH, "strokes": strokes}
        for name, (title, prompt, strokes) in table.items()
    }


def to_json(example: dict[str, Any]) -> str:
    """Return an example as the text of its file: one stroke a line."""
    head = {key: value for key, value in example.items() if key != "strokes"}
    strokes = ",\n".join(
        "    " + json.dumps(stroke, separators=(",", ":")) for stroke in example["strokes"]
    )
    body = json.dumps(head, indent=2)[:-2]
    return f'{body},\n  "strokes": [\n{strokes}\n  ]\n}}\n'


def write_examples(folder: Path) -> list[Path]:
    """Write every example to `folder` and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, example in examples().items():
        files.append(folder / f"{name}.json")
        files[-1].write_text(to_json(example), encoding="utf-8")
    return files
