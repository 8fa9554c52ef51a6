"""Where the things of a scene lie, and where on the canvases behind the words each part is told.

The denoiser has to find, for each cell of its maps, the token that tells what to paint there.
Scenes are composed here, so the right token is known: `attention_targets` says which, and training
can show it. Left to itself the denoiser had not found it after 800 steps: it painted every thing as
a blurred square of the right colour.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from training.doodle.canvas import CANVAS_PX
from training.doodle.model import CANVAS_SIDE, NUM_CANVASES, NUM_TOKENS, WORD_TOKENS
from training.doodle.scenes import SIZE_PX, Bend, Placed, Scene

MAX_THINGS = 4
ROW = 7
"""Numbers that describe a thing: its canvas, or -1; a 2×3 matrix from pixels to canvas places."""
_SOURCE_PX = 256


def layout_of(scene: Scene, bends: Sequence[Bend] = (), is_named: bool = True) -> np.ndarray:
    """`(4, 7) float32`, a row for each object; it is −1 for what has no name or no canvas.

    Args:
        scene: what is shown.
        bends: how each object was drawn, if the picture follows that. Of a wobble, which no matrix
            can tell, the rest that pictures follow moves nothing by a place.
        is_named: whether the caption names anything.
    """
    rows = np.full((MAX_THINGS, ROW), -1, np.float32)
    if is_named:
        things = itertools.zip_longest(scene.objects, bends)
        for row, (placed, bend), noun in zip(rows, things, scene.nouns, strict=False):
            if 0 <= noun < NUM_CANVASES:
                row[0], row[1:] = noun, _to_canvas(placed, bend).ravel()
    return rows


def _to_canvas(placed: Placed, bend: Bend | None) -> np.ndarray:
    """2×3: from a pixel of the picture to the place on its thing's canvas, 0 to 8 each way."""
    shown = Placed(placed.concept, SIZE_PX / 2, SIZE_PX / 2, CANVAS_PX)
    matrix = bend.at(_SOURCE_PX).matrix if bend else placed.matrix(_SOURCE_PX)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    pixels = shown.matrix(_SOURCE_PX) @ inverse
    pixels[:, 2] += 0.5  # pixel centres
    return pixels * (CANVAS_SIDE / SIZE_PX)


def attention_targets(
    layout: torch.Tensor, side: int, beside: tuple[float, float] = (0.0, 0.0)
) -> tuple[torch.Tensor, torch.Tensor]:
    """To which tokens each cell of a `side`×`side` map should attend.

    Args:
        layout: `(N, 4, 7)` of `layout_of`.
        side: cells across and down.
        beside: how far off the cell's middle to look, across and down, in cells.

    Returns:
        Weights `(N, side², NUM_TOKENS)` that sum to 1, between the places next to that point; and
        which cells' middles have a place, `(N, side²) bool`. Of things over one another the front
        one counts.
    """
    num = len(layout)
    middle = (torch.arange(side) + 0.5) * SIZE_PX / side - 0.5
    down, across = torch.meshgrid(middle, middle, indexing="ij")
    cells = torch.stack([across, down, torch.ones_like(down)]).flatten(1).to(layout)
    places = layout[..., 1:].reshape(num, -1, 2, 3) @ cells  # (N, 4, 2, Q), across and down
    rim = (SIZE_PX - CANVAS_PX) / 2 * CANVAS_SIDE / SIZE_PX
    is_inside = ((places > rim) & (places < CANVAS_SIDE - rim)).all(dim=2)
    is_inside &= layout[..., :1] >= 0
    order = torch.arange(1, layout.shape[1] + 1, device=layout.device)[:, None]
    front = (is_inside * order).argmax(dim=1)  # (N, Q)
    step = torch.tensor(beside).to(layout) * SIZE_PX / side
    places = places + layout[..., 1:].unflatten(-1, (2, 3))[..., :2] @ step[:, None]
    at = places.gather(1, front[:, None, None].expand(-1, 1, 2, -1))[:, 0] - 0.5
    at = at.clamp(0, CANVAS_SIDE - 1)
    near = (1 - (at[..., None] - torch.arange(CANVAS_SIDE).to(at)).abs()).clamp(min=0)
    weights = (near[:, 1, :, :, None] * near[:, 0, :, None, :]).flatten(2)  # (N, Q, 64)
    canvas = layout[..., 0].gather(1, front).clamp(min=0).long()
    first = WORD_TOKENS + canvas * CANVAS_SIDE**2
    index = first[..., None] + torch.arange(CANVAS_SIDE**2, device=layout.device)
    targets = weights.new_zeros(num, weights.shape[1], NUM_TOKENS).scatter_(2, index, weights)
    return targets, is_inside.any(dim=1)
