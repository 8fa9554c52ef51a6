"""Sketches made from scenes: a family of degradations that covers how people really draw.

One of several hands draws each object (`training.doodle.hands`), on paper that is white or nearly
so, over a background that is drawn in a few areas or not at all, and sometimes it is not finished.
"""

import itertools
from dataclasses import replace

import cv2
import numpy as np

from training.doodle.hands import HANDS, Sheet
from training.doodle.scenes import SIZE_PX, Bend, Placed, Scene, paint_background

_OTHERS_SHARE = 0.5  # of things that another artist has alike


def paper(rng: np.random.Generator) -> np.ndarray:
    """White, sometimes off-white, paper: `(256, 256, 3) uint8`."""
    canvas = np.full((SIZE_PX, SIZE_PX, 3), 255, np.uint8)
    if rng.random() < 0.12:
        canvas[:] = 255 - rng.integers(0, 22, 3).astype(np.uint8)
    return canvas


def draw_background(rng: np.random.Generator, canvas: np.ndarray, scene: Scene) -> None:
    """The backdrop as one or two flat areas, sometimes only brushed over."""
    painted = paint_background(scene.background)
    line = int(scene.background.horizon * SIZE_PX)
    is_split = scene.background.kind in ("grass", "sea", "beach", "snow", "sunset", "room")
    top = painted[: max(line - 20, 8)].mean(axis=(0, 1)) + rng.normal(0, 10, 3)
    bottom = painted[min(line + 30, SIZE_PX - 8) :].mean(axis=(0, 1)) + rng.normal(0, 10, 3)
    if not is_split:
        canvas[:] = np.clip(top, 0, 255)
        return
    x = np.linspace(0, SIZE_PX, 6)
    edge = np.interp(np.arange(SIZE_PX), x, line + rng.normal(0, 4, 6))
    is_ground = np.arange(SIZE_PX)[:, None] > edge[None]
    if rng.random() < 0.7:
        canvas[~is_ground] = np.clip(top, 0, 255).astype(np.uint8)
    canvas[is_ground] = np.clip(bottom, 0, 255).astype(np.uint8)


def rub_out(
    rng: np.random.Generator, canvas: np.ndarray, blank: np.ndarray, placed: Placed
) -> None:
    """An unfinished object: a side of it is not there yet."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX]
    along = (x - placed.x) * np.cos(angle) + (y - placed.y) * np.sin(angle)
    is_near = np.maximum(np.abs(x - placed.x), np.abs(y - placed.y)) < placed.size * 0.6
    gone = is_near & (along > placed.size * rng.uniform(0.12, 0.3))
    canvas[gone] = blank[gone]


def _as_another_draws(rng: np.random.Generator, placed: Placed) -> Placed:
    """Now and then the thing as another artist sees it, at the same place."""
    others = placed.concept.drawn_by
    if not others or rng.random() >= _OTHERS_SHARE:
        return placed
    other = others[rng.integers(len(others))]
    can_be_coloured = placed.colour is None or other.main_hue is not None
    return replace(placed, concept=other) if can_be_coloured else placed


def degrade(rng: np.random.Generator, scene: Scene) -> np.ndarray:
    """A sketch of a scene as a person would draw it, `(256, 256, 3) uint8` RGB."""
    return draw(rng, scene)[0]


def draw(rng: np.random.Generator, scene: Scene) -> tuple[np.ndarray, tuple[Bend, ...]]:
    """A sketch of a scene, and how it differs from the scene.

    Args:
        rng: the only source of randomness; the same state gives the same sketch.
        scene: what is drawn; an empty tuple of objects gives an empty board.

    Returns:
        `(256, 256, 3) uint8` RGB; for each object how it was bent.
    """
    bends = []
    canvas = paper(rng)
    if scene.is_background_drawn:
        draw_background(rng, canvas, scene)
    hands, weights = zip(*HANDS, strict=True)
    hand = rng.choice(len(hands), p=weights)
    for placed, other in itertools.zip_longest(scene.objects, scene.drawn_as):
        blank = canvas.copy()
        if rng.random() < 0.25:  # mostly one hand per sheet, as one person draws it
            hand = rng.choice(len(hands), p=weights)
        drawn = replace(placed, concept=other, colour=None) if other else placed
        sheet = Sheet(rng, canvas, _as_another_draws(rng, drawn))
        bends.append(sheet.bend)
        hands[hand](sheet)
        if rng.random() < 0.08:
            rub_out(rng, canvas, blank, placed)
    if rng.random() < 0.3:  # anti-aliasing and JPEG leave soft edges
        canvas = cv2.GaussianBlur(canvas, (3, 3), 0)
    return canvas, tuple(bends)
