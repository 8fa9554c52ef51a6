"""What can be measured: the model, and the two baselines that it has to beat.

A painter turns words and a sketch into a picture. *Identity* hands the sketch back; *paste* puts
the render that looks most like the sketch at the place of the sketch and ignores the words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL

import turbo_ui
from training.doodle.features import Recogniser, foreground

SIZE_PX = 256
STRENGTH = 0.6
GAP_PX = 10
"""Objects with this many empty columns between them are pasted apart."""


class Painter(Protocol):
    """Paints one picture."""

    def __call__(
        self, prompt: str, sketch: np.ndarray | None, strength: float = STRENGTH, seed: int = 0
    ) -> np.ndarray:
        """Words and a (256, 256, 3) uint8 RGB sketch (None: empty board) to such a picture."""
        ...


def empty_board() -> np.ndarray:
    """White paper, (256, 256, 3) uint8 RGB."""
    return np.full((SIZE_PX, SIZE_PX, 3), 255, np.uint8)


class ModelPainter:
    """The model in a folder, run the way the app runs it.

    Args:
        folder: a diffusers folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.backend = turbo_ui.load(self.folder)

    def __call__(
        self, prompt: str, sketch: np.ndarray | None, strength: float = STRENGTH, seed: int = 0
    ) -> np.ndarray:
        request = turbo_ui.FrameRequest(
            model=self.folder,
            prompt=prompt,
            image=sketch,
            strength=strength,
            seed=seed,
            width=SIZE_PX,
            height=SIZE_PX,
        )
        return self.backend.generate([request])[0].image


class Autoencoder:
    """The model's own autoencoder alone: what is lost even where the denoiser is right.

    Args:
        folder: a diffusers folder.
    """

    def __init__(self, folder: Path) -> None:
        self.vae: Any = AutoencoderKL.from_pretrained(folder / "vae").float().eval()

    @torch.no_grad()
    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """A (256, 256, 3) uint8 RGB picture to latents and back."""
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1
        latents = self.vae.encode(pixels).latent_dist.mean
        decoded = self.vae.decode(latents).sample[0].permute(1, 2, 0)
        return ((decoded + 1) * 127.5).round().clamp(0, 255).byte().numpy()


def identity(
    prompt: str, sketch: np.ndarray | None, strength: float = STRENGTH, seed: int = 0
) -> np.ndarray:
    """The sketch itself."""
    return empty_board() if sketch is None else sketch


class Paste:
    """The nearest render, fitted into the box of what is drawn; things apart are done one by one.

    Args:
        recogniser: finds the render, and holds them.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser

    def __call__(
        self, prompt: str, sketch: np.ndarray | None, strength: float = STRENGTH, seed: int = 0
    ) -> np.ndarray:
        canvas = empty_board()
        if sketch is None:
            return canvas
        mask = foreground(sketch)
        for left, right in side_by_side(mask):
            part = np.zeros_like(mask)
            part[:, left:right] = mask[:, left:right]
            found = self.recogniser.distances(sketch, part)
            fit(canvas, self.recogniser.renders[int(found.argmin())], part)
        return canvas


def side_by_side(mask: np.ndarray) -> list[tuple[int, int]]:
    """Runs of used columns of an (H, W) bool mask with clear gaps between: (first, past last)."""
    used = np.flatnonzero(mask.any(axis=0))
    if not len(used):
        return []
    breaks = np.flatnonzero(np.diff(used) > GAP_PX)
    starts = [int(used[0]), *(int(used[b + 1]) for b in breaks)]
    ends = [*(int(used[b]) + 1 for b in breaks), int(used[-1]) + 1]
    return list(zip(starts, ends, strict=True))


def fit(canvas: np.ndarray, render: np.ndarray, mask: np.ndarray) -> None:
    """Paint a (H, W, 4) uint8 RGBA render into the box of an (H, W) bool mask, in place."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    opaque = render[..., 3] > 128
    used_y, used_x = np.flatnonzero(opaque.any(axis=1)), np.flatnonzero(opaque.any(axis=0))
    part = render[used_y[0] : used_y[-1] + 1, used_x[0] : used_x[-1] + 1].astype(np.float32)
    size = (int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    alpha = part[..., 3:] / 255
    place = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    place[:] = np.rint(part[..., :3] * alpha + place * (1 - alpha)).clip(0, 255)
