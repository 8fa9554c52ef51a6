"""Sizes of pictures, in pixels: which of those that a model draws is nearest to a wish.

Pure arithmetic; `size.js` in the page weighs shapes and sizes in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Size = tuple[int, int]
"""Width and height."""

SHAPE_WEIGHT = 4
"""A shape that is missed is seen sooner than a size that is."""
ALIKE_DIGITS = 9
"""Sizes that miss a wish equally but for rounding, such as one and the same turned."""


def nearest(sizes: Sequence[Size], width: int, height: int) -> Size:
    """The size nearest to a wish, by its shape before its number of pixels; the first of equals.

    Args:
        sizes: at least one.
    """

    def miss(size: Size) -> float:
        shape = _missed(size[0] * height, size[1] * width)
        area = _missed(size[0] * size[1], width * height)
        return round(SHAPE_WEIGHT * shape + area, ALIKE_DIGITS)

    return min(sizes, key=miss)


def nearest_side(low: int, high: int, step: int, side: int) -> int:
    """The side nearest to a wish, of those from `low` to `high` in steps."""
    held = min(high, max(low, side))
    return low + round((held - low) / step) * step


def _missed(number: int, wanted: int) -> float:
    """How far a number is from the wanted one, as a share of it; the same both ways."""
    return abs(math.log(number / wanted))
