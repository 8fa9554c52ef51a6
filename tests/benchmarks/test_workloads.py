"""The strokes of the benchmarks are the same for the same seed, and stay on the board."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from benchmarks import workloads


def test_the_same_seed_is_the_same_drawing() -> None:
    assert workloads.drag(7, 4) == workloads.drag(7, 4)
    assert workloads.drag(7, 4) != workloads.drag(8, 4)


def test_a_longer_drag_begins_as_the_shorter_one() -> None:
    assert workloads.drag(7, 12)[:3] == workloads.drag(7, 6)


@pytest.mark.parametrize("seed", range(20))
def test_points_stay_on_the_board_and_move_as_a_hand_does(seed: int) -> None:
    points = [point for stroke in workloads.drag(seed, 10) for point in stroke.points]
    low, high = workloads.MARGIN, 1 - workloads.MARGIN
    assert all(low <= x <= high and low <= y <= high for x, y in points)
    steps = [math.dist(a, b) for a, b in pairwise(points)]
    longest = workloads.SPEED / workloads.HZ
    assert max(steps) <= longest + 1e-4
    assert sum(steps) > 0.8 * longest * len(steps)


def test_a_drag_is_cut_into_strokes_with_the_rest_at_the_end() -> None:
    lengths = [len(stroke.points) for stroke in workloads.drag(1, 5, stroke_s=2)]
    assert lengths == [120, 120, 60]


def test_short_strokes_are_as_many_as_asked_for() -> None:
    strokes = workloads.short_strokes(1, 6)
    assert len(strokes) == 6
    assert {stroke.seconds for stroke in strokes} == {workloads.SHORT_STROKE_S}


@pytest.mark.parametrize(("seconds", "stroke_s"), [(0, 2), (0.01, 2), (3, 0)])
def test_a_drag_of_no_length_is_an_error(seconds: float, stroke_s: float) -> None:
    with pytest.raises(ValueError, match="no two points"):
        workloads.drag(1, seconds, stroke_s)
