"""Which emoji is in this picture? A recogniser that no model was trained with.

The object is cut from its paper, brought to 64 x 64 on grey, and described by the directions of its
edges (HOG) and the layout of its colours (Lab means on an 8 x 8 grid). The nearest render wins; a
mirrored object counts as the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

PAPER_DISTANCE = 6.0
"""A pixel at least this far from the paper in Lab is drawn on."""
MIN_PART = 0.0008
"""Specks smaller than this part of the picture are no object."""
CROP_PX = 64
MARGIN = 0.04
GROUND = 128
CELL_PX = 8
NUM_DIRECTIONS = 9
COLOUR_GRID = 8
COLOUR_SCALE = 60.0
COLOUR_WEIGHT = 0.5
TWINS = 0.01
"""Renders nearer to each other than this are one picture (astronaut and man astronaut)."""


def to_lab(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W, 3) float32 CIE Lab, L 0-100, a and b about -127-127."""
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def paper_colour(picture: np.ndarray) -> np.ndarray:
    """Median RGB of the outermost pixels of (H, W, 3) uint8, as (3,) float32."""
    edge = [picture[:2], picture[-2:], picture[:, :2], picture[:, -2:]]
    return np.median(np.concatenate([e.reshape(-1, 3) for e in edge]), axis=0).astype(np.float32)


def foreground(picture: np.ndarray, paper: np.ndarray | None = None) -> np.ndarray:
    """What is drawn on the paper, holes filled, so that an outline counts with what it encloses.

    Args:
        picture: (H, W, 3) uint8 RGB.
        paper: (3,) RGB 0-255 of the empty paper; None takes the colour of the picture's edge.

    Returns:
        (H, W) bool.
    """
    height, width = picture.shape[:2]
    paper = paper_colour(picture) if paper is None else np.asarray(paper)
    calm = cv2.medianBlur(np.ascontiguousarray(picture), 3)
    lab_paper = to_lab(np.uint8(np.rint(paper)).reshape(1, 1, 3))
    mask = np.linalg.norm(to_lab(calm) - lab_paper, axis=-1) > PAPER_DISTANCE
    # gaps in an outline close; a frame of paper lets the outside join up around the object
    framed = np.pad(mask.astype(np.uint8), 8)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    outside = 1 - closed
    cv2.floodFill(outside, None, (0, 0), 2)
    filled = (outside != 2)[8:-8, 8:-8]
    count, parts, stats, _ = cv2.connectedComponentsWithStats(filled.astype(np.uint8))
    large = stats[:, cv2.CC_STAT_AREA] >= MIN_PART * height * width
    large[0] = False
    return large[parts] if count > 1 else np.zeros_like(mask)


def cut_out(picture: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray | None:
    """The object at 64 x 64 on grey, its proportions kept; None if there is none.

    Args:
        picture: (H, W, 3) uint8 RGB.
        mask: (H, W) bool foreground; None finds it.

    Returns:
        (64, 64, 3) uint8 RGB, or None.
    """
    mask = foreground(picture) if mask is None else mask
    if not mask.any():
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = rows[0], columns[0]
    height, width = rows[-1] + 1 - top, columns[-1] + 1 - left
    side = round(max(height, width) * (1 + 2 * MARGIN)) + 2
    box = np.full((side, side, 3), GROUND, np.uint8)
    y, x = (side - height) // 2, (side - width) // 2
    part = (slice(top, top + height), slice(left, left + width))
    box[y : y + height, x : x + width] = np.where(mask[part][..., None], picture[part], GROUND)
    way = cv2.INTER_AREA if side > CROP_PX else cv2.INTER_LINEAR
    return cv2.resize(box, (CROP_PX, CROP_PX), interpolation=way)


def edge_directions(crops: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients: (N, 64, 64, 3) uint8 -> (N, D) float32 of unit length.

    Per pixel the channel with the strongest gradient counts; nine unsigned directions in cells of
    8 x 8 px, normalised (and clipped, as usual) in blocks of 2 x 2 cells.
    """
    values = crops.astype(np.float32) / 255
    dx, dy = np.zeros_like(values), np.zeros_like(values)
    dx[:, :, 1:-1] = values[:, :, 2:] - values[:, :, :-2]
    dy[:, 1:-1] = values[:, 2:] - values[:, :-2]
    strongest = (dx**2 + dy**2).argmax(axis=-1)[..., None]
    dx = np.take_along_axis(dx, strongest, axis=-1)[..., 0]
    dy = np.take_along_axis(dy, strongest, axis=-1)[..., 0]
    strength = np.sqrt(np.hypot(dx, dy))  # the root keeps faint inner edges in the picture
    direction = (np.arctan2(dy, dx) / np.pi) % 1.0 * NUM_DIRECTIONS
    bins = np.arange(NUM_DIRECTIONS, dtype=np.float32)
    away = np.abs(direction[..., None] - bins)
    share = np.clip(1 - np.minimum(away, NUM_DIRECTIONS - away), 0, None) * strength[..., None]
    num, cells = len(crops), CROP_PX // CELL_PX
    shape = (num, cells, CELL_PX, cells, CELL_PX, NUM_DIRECTIONS)
    cell = share.reshape(shape).sum(axis=(2, 4))
    blocks = np.concatenate(
        [cell[:, :-1, :-1], cell[:, :-1, 1:], cell[:, 1:, :-1], cell[:, 1:, 1:]], axis=-1
    )
    for limit in (0.2, np.inf):
        blocks = blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 1.0)
        blocks = np.minimum(blocks, limit)
    flat = blocks.reshape(num, -1)
    return (flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)).astype(np.float32)


def colour_layout(crops: np.ndarray) -> np.ndarray:
    """Mean Lab on an 8 x 8 grid: (N, 64, 64, 3) uint8 -> (N, 192) float32.

    Scaled so that crops whose colours differ by 60 everywhere are at distance 1.
    """
    step = CROP_PX // COLOUR_GRID
    lab = np.stack([to_lab(crop) for crop in crops])
    grid = lab.reshape(len(crops), COLOUR_GRID, step, COLOUR_GRID, step, 3).mean(axis=(2, 4))
    return grid.reshape(len(crops), -1) / (COLOUR_SCALE * COLOUR_GRID)


def describe(crops: np.ndarray) -> np.ndarray:
    """Edges and colours in one vector: (N, 64, 64, 3) uint8 -> (N, D) float32."""
    colours = np.sqrt(COLOUR_WEIGHT) * colour_layout(crops)
    edges = np.sqrt(1 - COLOUR_WEIGHT) * edge_directions(crops)
    return np.concatenate([edges, colours], axis=1)


@dataclass(eq=False)
class Recogniser:
    """Finds the nearest of many renders.

    Attributes:
        names: one per render; the answer to a question is an index into them.
        renders: (256, 256, 4) uint8 RGBA each, straight alpha.
    """

    names: Sequence[str]
    renders: Sequence[np.ndarray]

    @cached_property
    def gallery(self) -> np.ndarray:
        """(G, D) float32, the renders described as if they lay on white paper."""
        crops = [cut_out(on_white(render)) for render in self.renders]
        blank = np.full((CROP_PX, CROP_PX, 3), GROUND, np.uint8)
        return describe(np.stack([blank if crop is None else crop for crop in crops]))

    @cached_property
    def _squares(self) -> np.ndarray:
        return (self.gallery**2).sum(axis=1)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def distances(self, picture: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Squared distances of the object in (H, W, 3) uint8 to every render, (G,) float32.

        All infinite if there is no object.
        """
        crop = cut_out(picture, mask)
        if crop is None:
            return np.full(len(self.names), np.inf, np.float32)
        return self._to_gallery(describe(np.stack([crop, crop[:, ::-1]]))).min(axis=0)

    def rank(self, picture: np.ndarray, name: str, mask: np.ndarray | None = None) -> int:
        """0 if the nearest render is `name`, 1 if one is nearer, ...; all of them if no object."""
        distances = self.distances(picture, mask)
        own = self._index[name]
        if not np.isfinite(distances[own]):
            return len(self.names)
        nearer = np.flatnonzero(distances < distances[own])
        return int((self._to_gallery(self.gallery[own][None])[0, nearer] >= TWINS).sum())

    def _to_gallery(self, vectors: np.ndarray) -> np.ndarray:
        """Squared distances of (N, D) vectors to all renders, (N, G) float32."""
        own = (vectors**2).sum(axis=1)[:, None]
        return np.maximum(self._squares - 2 * vectors @ self.gallery.T + own, 0)


def on_white(render: np.ndarray, size: int = 200, canvas_px: int = 256) -> np.ndarray:
    """(H, W, 4) uint8 RGBA in the middle of white paper, (canvas_px, canvas_px, 3) uint8 RGB."""
    alpha = render[..., 3:].astype(np.float32) / 255
    flat = render[..., :3] * alpha + 255 * (1 - alpha)
    small = cv2.resize(flat, (size, size), interpolation=cv2.INTER_AREA)
    canvas = np.full((canvas_px, canvas_px, 3), 255, np.uint8)
    start = (canvas_px - size) // 2
    canvas[start : start + size, start : start + size] = np.rint(small)
    return canvas
