"""What things look like, part by part: what the tokens behind the words hold.

A text encoder puts one state at each place of its row. The first `WORD_TOKENS` places hold the
words. Behind them each named thing has a canvas of 8×8 places, and the state at each tells what
the thing looks like in that part. So the denoiser looks up what to paint where, by attention, and
need not learn hundreds of pictures by heart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from training.doodle.data import COLOURS, Concept
from training.doodle.model import (
    CANVAS_SIDE,
    LATENT_CHANNELS,
    LATENT_PX,
    NUM_CANVASES,
    encode_latents,
)
from training.doodle.scenes import SIZE_PX, WHITE, Placed, Scene, render
from training.doodle.train_autoencoder import to_tensor

NUM_PARTS = CANVAS_SIDE**2
NUM_NUMBERS = 48
"""Principal components of a part: they hold 98 % of what the parts of all things differ in."""
CANVAS_PX = SIZE_PX - 2 * SIZE_PX // LATENT_PX
"""How large a thing is shown on its canvas: clear of the outermost latents, which differ from all
others on the same paper."""


class Looks:
    """`(1 + things and colours, 64, 48) float32`, of unit mean square; row 0 is empty paper."""

    def __init__(self, concepts: list[Concept], vae: Any) -> None:
        keys, pictures = [], []
        for concept in concepts:
            colours = [None, *COLOURS] if concept.main_hue is not None else [None]
            for colour in colours:
                placed = Placed(concept, SIZE_PX / 2, SIZE_PX / 2, CANVAS_PX, colour=colour)
                keys.append((concept.index, colour))
                pictures.append(render(Scene((placed,), WHITE, "")))
        parts = _parts(vae, pictures)
        flat = parts.flatten(0, 1)
        mean = flat.mean(0)
        # by the covariance and not by random projections: the axes are the same in every run
        axes = torch.linalg.eigh((flat - mean).T @ (flat - mean)).eigenvectors[:, -NUM_NUMBERS:]
        axes = axes * axes.sum(0).sign()
        blank = _parts(vae, [np.full((SIZE_PX, SIZE_PX, 3), 255, np.uint8)])
        numbers = (torch.cat([blank, parts]) - mean) @ axes
        self.table = numbers / numbers.square().mean().sqrt()
        self.explained = float(((flat - mean) @ axes).square().sum() / (flat - mean).square().sum())
        self.rows = {key: row for row, key in enumerate(keys, 1)}

    def row(self, concept: int, colour: int) -> int:
        """Of a thing in the table; `colour`: 0 its own, else 1 + index into COLOURS."""
        named = tuple(COLOURS)[colour - 1] if colour else None
        return self.rows.get((concept, named), self.rows[concept, None])

    def concepts(self) -> torch.Tensor:
        """Of every concept in its own colours, in order: `(concepts, 64, 48)`."""
        return self.table[[row for (_, colour), row in self.rows.items() if colour is None]]

    def canvases(self, things: list[list[tuple[int, int]]]) -> torch.Tensor:
        """`(N, 3, 64, 48)`: of each row of (concept, colour) the first three, then empty paper."""
        rows = torch.zeros(len(things), NUM_CANVASES, dtype=torch.long)
        for index, named in enumerate(things):
            for slot, (concept, colour) in enumerate(named[:NUM_CANVASES]):
                rows[index, slot] = self.row(concept, colour)
        return self.table[rows]


@torch.no_grad()
def _parts(vae: Any, pictures: list[np.ndarray]) -> torch.Tensor:
    """Latents less those of white paper, cut into 8×8 parts: `(N, 64, 128)`."""
    batches = to_tensor(pictures).split(16)
    latents = torch.cat([encode_latents(vae, batch) for batch in batches])
    latents = latents - encode_latents(vae, torch.ones(1, 3, SIZE_PX, SIZE_PX))
    side = LATENT_PX // CANVAS_SIDE
    cut = latents.view(-1, LATENT_CHANNELS, CANVAS_SIDE, side, CANVAS_SIDE, side)
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
