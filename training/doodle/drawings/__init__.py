"""Drawings as people make them, written as strokes in code.

They are the "unseen hands" of the evaluation and the app's example sketches: drawn from memory of
the objects, not traced, and never used in training.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.doodle.drawings import album
from training.doodle.drawings.strokes import BOARD_PX, Pen, Stroke, render

__all__ = ["BOARD_PX", "Drawing", "Stroke", "all_drawings", "render"]


@dataclass(frozen=True)
class Drawing:
    """One object as somebody would draw it on the 512 x 512 px board.

    Attributes:
        label: the concept's name in the emoji data.
        prompt: the words typed beside it.
        hand: "blobs", "pen" or "brush".
        strokes: see `training.doodle.drawings.strokes`.
    """

    label: str
    prompt: str
    hand: str
    strokes: list[Stroke]


def all_drawings() -> list[Drawing]:
    """Return every drawing, the same on every call."""
    drawings = []
    for hand, table in (("blobs", album.BLOBS), ("pen", album.OUTLINES), ("brush", album.BRUSH)):
        for label, (prompt, draw, place, size, turn) in table.items():
            pen = Pen(hand, place, size, turn, seed=len(drawings))
            draw(pen)
            drawings.append(Drawing(label, prompt, hand, pen.strokes))
    return drawings
