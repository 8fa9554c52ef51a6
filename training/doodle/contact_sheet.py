"""The card's contact sheet: example sketches, and what becomes of them at four strengths."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from training.doodle.drawings import render
from training.doodle.drawings.scenes import examples
from training.doodle.painters import SIZE_PX, Painter

STRENGTHS = (0.4, 0.6, 0.8, 1.0)
SEED = 1
CELL_PX = 168
GAP_PX = 6
CAPTION_PX = 20
NUM_BLOCKS = 2


def contact_sheet(painter: Painter) -> np.ndarray:
    """Sketch and pictures of every example, two examples side by side, (H, W, 3) uint8 RGB."""
    strips = [_strip(painter, example) for example in examples().values()]
    head = _caption(["sketch", *(f"strength {s}" for s in STRENGTHS)], strips[0].shape[1])
    num_rows = -(-len(strips) // NUM_BLOCKS)
    strips += [np.full_like(strips[0], 255)] * (num_rows * NUM_BLOCKS - len(strips))
    blocks = [
        np.concatenate([head, *strips[start : start + num_rows]])
        for start in range(0, len(strips), num_rows)
    ]
    gap = np.full((len(blocks[0]), 3 * GAP_PX, 3), 255, np.uint8)
    spaced = [part for block in blocks for part in (block, gap)][:-1]
    return np.concatenate(spaced, axis=1)


def write(painter: Painter, file: Path) -> None:
    """Write the sheet as JPEG."""
    picture = cv2.cvtColor(contact_sheet(painter), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(file), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])


def _strip(painter: Painter, example: dict) -> np.ndarray:
    sketch = render(example["strokes"], SIZE_PX)
    pictures = [painter(example["prompt"], sketch, strength=s, seed=SEED) for s in STRENGTHS]
    cells = [
        cv2.copyMakeBorder(
            cv2.resize(picture, (CELL_PX, CELL_PX), interpolation=cv2.INTER_AREA),
            *(0, GAP_PX, 0, GAP_PX),
            cv2.BORDER_CONSTANT,
            value=(255, 255, 255),
        )
        for picture in (sketch, *pictures)
    ]
    row = np.concatenate(cells, axis=1)
    return np.concatenate([row, _caption([f'"{example["prompt"]}"'], row.shape[1])])


def _caption(texts: list[str], width: int) -> np.ndarray:
    strip = np.full((CAPTION_PX, width, 3), 255, np.uint8)
    for index, text in enumerate(texts):
        at = (index * (CELL_PX + GAP_PX) + 2, CAPTION_PX - 7)
        cv2.putText(strip, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 60, 60), 1, cv2.LINE_AA)
    return strip
