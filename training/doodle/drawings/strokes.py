"""Strokes as data: a seeded, slightly unsteady hand that makes them, and their renderer.

The board is 512 x 512 px, x to the right and y down. A stroke is a JSON-ready dict
``{"color": "#rrggbb", "width": px, "points": [[x, y], ...], "fill": bool}``; a filled one is a
closed polygon. Shapes are given in an object box of 100 x 100 units that `Pen` turns, scales and
places.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

BOARD_PX = 512
POINT_SPACING_PX = 9.0
SUPERSAMPLING = 4

Stroke = dict[str, Any]

# The three hands: whether closed shapes are filled, line width and unsteadiness in px.
HANDS = {
    "blobs": {"fill": True, "width": 9, "wobble": 3.0},
    "pen": {"fill": False, "width": 6, "wobble": 2.2},
    "brush": {"fill": False, "width": 30, "wobble": 4.0},
}


class Pen:
    """Draws shapes of a 100 x 100 unit object box as unsteady strokes on the board.

    Args:
        hand: one of `HANDS`.
        place: board position of the box centre in px.
        size: board length of the box side in px.
        turn: rotation of the whole object in degrees, clockwise.
        seed: makes the unsteadiness repeatable.
    """

    def __init__(
        self,
        hand: str = "blobs",
        place: tuple[float, float] = (256, 256),
        size: float = 360,
        turn: float = 0.0,
        seed: int = 0,
    ) -> None:
        style = HANDS[hand]
        self.strokes: list[Stroke] = []
        self._fill = bool(style["fill"])
        self._width = float(style["width"])
        self._wobble = float(style["wobble"])
        self._centre = np.asarray(place, np.float64)
        self._scale = size / 100.0
        self._turn = math.radians(turn)
        self._random = np.random.default_rng(seed)

    def poly(
        self, color: str, *xy: float, fill: bool | None = None, width: float | None = None
    ) -> None:
        """Draw the closed polygon with the corners x0, y0, x1, y1, ..."""
        self._add(_pairs(xy), color, width, self._fill if fill is None else fill, closed=True)

    def smooth(
        self, color: str, *xy: float, fill: bool | None = None, width: float | None = None
    ) -> None:
        """Draw the closed smooth curve through x0, y0, x1, y1, ..."""
        points = _spline(_pairs(xy), closed=True)
        self._add(points, color, width, self._fill if fill is None else fill, closed=True)

    def oval(
        self,
        color: str,
        cx: float,
        cy: float,
        rx: float,
        ry: float | None = None,
        turn: float = 0.0,
        fill: bool | None = None,
        width: float | None = None,
    ) -> None:
        """Draw a circle or, given two radii, an ellipse turned clockwise by `turn` degrees."""
        points = _arc(0.0, 0.0, rx, rx if ry is None else ry, -90.0, 270.0)
        points = _rotate(points, math.radians(turn)) + np.array([cx, cy])
        self._add(points, color, width, self._fill if fill is None else fill, closed=True)

    def line(self, color: str, *xy: float, width: float | None = None) -> None:
        """Draw the open polyline through x0, y0, x1, y1, ..."""
        self._add(_pairs(xy), color, width, False, closed=False)

    def curve(self, color: str, *xy: float, width: float | None = None) -> None:
        """Draw the open smooth curve through x0, y0, x1, y1, ..."""
        self._add(_spline(_pairs(xy), closed=False), color, width, False, closed=False)

    def arc(
        self,
        color: str,
        cx: float,
        cy: float,
        rx: float,
        ry: float,
        start: float,
        end: float,
        width: float | None = None,
    ) -> None:
        """Draw an elliptic arc from `start` to `end` degrees (0 is right, 90 is down)."""
        self._add(_arc(cx, cy, rx, ry, start, end), color, width, False, closed=False)

    def dots(self, color: str, *xy: float, radius: float = 3.0) -> None:
        """Dab one dot of `radius` units at each of x0, y0, x1, y1, ..."""
        for point in _pairs(xy):
            self._add(point[None], color, 2.0 * radius * self._scale, False, closed=False)

    def scribble(
        self,
        color: str,
        cx: float,
        cy: float,
        rx: float,
        ry: float,
        turns: int = 5,
        width: float | None = None,
    ) -> None:
        """Fill an ellipse roughly by one zig-zag stroke, as a marker does."""
        rows = np.linspace(-0.9, 0.9, 2 * turns)
        half = np.sqrt(1.0 - rows**2)
        side = np.where(np.arange(len(rows)) % 2 == 0, -1.0, 1.0)
        points = np.stack([cx + side * half * rx, cy + rows * ry], axis=1)
        self._add(points, color, width, False, closed=False)

    def _add(
        self, points: np.ndarray, color: str, width: float | None, fill: bool, closed: bool
    ) -> None:
        board = _rotate((points - 50.0) * self._scale, self._turn) + self._centre
        if closed:
            board = np.concatenate([board, board[:1]])
        board = _unsteady(_resample(board), self._wobble, self._random)
        if closed and not fill:  # a hand closes a contour a little beyond its start
            board = np.concatenate([board, board[1:2] + self._random.normal(0, 1.5, (1, 2))])
        self.strokes.append(
            {
                "color": color,
                "width": round(float(self._width if width is None else width), 1),
                "points": [[round(float(x)), round(float(y))] for x, y in board],
                "fill": fill,
            }
        )


def render(strokes: list[Stroke], size: int = 256, paper: str = "#ffffff") -> np.ndarray:
    """Draw strokes in order on plain paper, anti-aliased.

    Args:
        strokes: strokes in px of the 512 px board.
        size: side of the picture in px.
        paper: colour under the strokes.

    Returns:
        (size, size, 3) uint8 RGB 0-255.
    """
    side = size * SUPERSAMPLING
    scale = side / BOARD_PX
    canvas = np.full((side, side, 3), _rgb(paper), np.uint8)
    for stroke in strokes:
        points = np.rint(np.asarray(stroke["points"], np.float64) * scale).astype(np.int32)
        color = _rgb(stroke["color"])
        if stroke["fill"]:
            cv2.fillPoly(canvas, [points], color)
        elif len(points) == 1:
            center = (int(points[0, 0]), int(points[0, 1]))
            cv2.circle(canvas, center, max(1, round(stroke["width"] * scale / 2)), color, -1)
        else:
            cv2.polylines(canvas, [points], False, color, max(1, round(stroke["width"] * scale)))
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _pairs(xy: tuple[float, ...]) -> np.ndarray:
    return np.asarray(xy, np.float64).reshape(-1, 2)


def _rotate(points: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> np.ndarray:
    angles = np.radians(np.linspace(start, end, 33))
    return np.stack([cx + rx * np.cos(angles), cy + ry * np.sin(angles)], axis=1)


def _spline(points: np.ndarray, closed: bool) -> np.ndarray:
    """Catmull-Rom curve through (N, 2) points, eight pieces per span."""
    if closed:
        p = np.concatenate([points[-1:], points, points[:2]])
    else:
        p = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0.0, 1.0, 8, endpoint=False)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None, :] for i in range(4))
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def _resample(points: np.ndarray) -> np.ndarray:
    """Divide an (N, 2) polyline into steps of about the spacing."""
    if len(points) < 2:
        return points
    pieces = []
    for start, end in pairwise(points):
        steps = max(1, math.ceil(float(np.hypot(*(end - start))) / POINT_SPACING_PX))
        pieces.append(start + (end - start) * np.linspace(0.0, 1.0, steps, endpoint=False)[:, None])
    dense = np.concatenate([*pieces, points[-1:]])
    gap = np.hypot(*np.diff(dense, axis=0).T)
    keep, since = [0], 0.0
    for index in range(1, len(dense) - 1):
        since += gap[index - 1]
        if since >= 0.5 * POINT_SPACING_PX:
            keep.append(index)
            since = 0.0
    return dense[[*keep, len(dense) - 1]]


def _unsteady(points: np.ndarray, wobble: float, random: np.random.Generator) -> np.ndarray:
    """Shift a whole stroke a little and let it sway by slow waves; wobble is in px."""
    shift = random.normal(0.0, 0.35 * wobble, 2)
    if len(points) < 2:
        return points + shift
    wobble = min(wobble, 0.06 * float(np.ptp(points, axis=0).max()))
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    sway = np.zeros_like(points)
    for wave_px in (160.0, 70.0, 35.0):
        phase = random.uniform(0.0, 2.0 * math.pi, 2)
        reach = wobble * 0.5 * wave_px / 160.0 * random.uniform(0.5, 1.5)
        sway += reach * np.sin(2.0 * math.pi * length[:, None] / wave_px + phase)
    return points + shift + sway
