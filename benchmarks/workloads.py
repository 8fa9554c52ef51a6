"""Seeded strokes: the same seed is the same drawing, on every machine. Pure."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

HZ = 60
"""Points a second, as a mouse or a pen gives them."""
STROKE_S = 2.0
"""How long a long stroke of a drag is."""
SHORT_STROKE_S = 0.4
"""How long one of the strokes is that are drawn one by one."""
MARGIN = 0.08
"""Strokes keep this far from the edge, as a share of the board."""
SPEED = 0.6
"""Boards a second: a hand that draws neither in haste nor with care."""
TURN = 0.12
"""How much the direction may change from point to point, in radians (standard deviation)."""


@dataclass(frozen=True)
class Stroke:
    """Points from pen-down to pen-up, x and y from 0 to 1, `HZ` of them a second."""

    points: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        return len(self.points) / HZ


def drag(seed: int, seconds: float, stroke_s: float = STROKE_S) -> list[Stroke]:
    """Strokes of `stroke_s` after each other, `seconds` in all (the last one may be shorter).

    Raises:
        ValueError: there is no time for a single point, or for two of a stroke.
    """
    num_points, num_per_stroke = round(seconds * HZ), round(stroke_s * HZ)
    if num_points < 2 or num_per_stroke < 2:
        raise ValueError(
            f"a drag of {seconds:g} s in strokes of {stroke_s:g} s has no two points at {HZ} Hz"
        )
    points = _wander(random.Random(seed), num_points)
    cut = range(0, num_points, num_per_stroke)
    return [Stroke(tuple(points[start : start + num_per_stroke])) for start in cut]


def short_strokes(seed: int, num: int) -> list[Stroke]:
    """`num` strokes that are drawn one by one, each after the picture of the one before."""
    return drag(seed, num * SHORT_STROKE_S, SHORT_STROKE_S)


def _wander(dice: random.Random, num: int) -> list[tuple[float, float]]:
    """A smooth path that turns back at the margin."""
    low, high, step = MARGIN, 1 - MARGIN, SPEED / HZ
    x, y = dice.uniform(0.3, 0.7), dice.uniform(0.3, 0.7)
    heading, bend = dice.uniform(0, 2 * math.pi), 0.0
    points: list[tuple[float, float]] = []
    for _ in range(num):
        points.append((round(x, 5), round(y, 5)))
        bend = 0.9 * bend + 0.4 * dice.gauss(0, TURN)
        heading += bend
        if not low <= x + step * math.cos(heading) <= high:
            heading = math.pi - heading
        if not low <= y + step * math.sin(heading) <= high:
            heading = -heading
        x = min(high, max(low, x + step * math.cos(heading)))
        y = min(high, max(low, y + step * math.sin(heading)))
    return points
