"""Sizes: the nearest to a wish, its shape before its number of pixels."""

from __future__ import annotations

import pytest

from turbo_ui.sizes import Size, nearest, nearest_side

THREE = ((1024, 1024), (1536, 1024), (1024, 1536))


@pytest.mark.parametrize(
    ("wish", "size"),
    [
        ((1024, 1024), (1024, 1024)),
        ((256, 256), (1024, 1024)),
        ((1152, 896), (1024, 1024)),
        ((1280, 896), (1536, 1024)),
        ((704, 384), (1536, 1024)),
        ((384, 704), (1024, 1536)),
        ((1536, 1024), (1536, 1024)),
    ],
)
def test_the_nearest_shape_is_taken(wish: Size, size: Size) -> None:
    assert nearest(THREE, *wish) == size


def test_of_one_shape_the_nearest_number_of_pixels_is_taken() -> None:
    squares = ((512, 512), (1024, 1024))
    assert nearest(squares, 600, 600) == (512, 512)
    assert nearest(squares, 900, 900) == (1024, 1024)


@pytest.mark.parametrize("sizes", [THREE[1:], THREE[:0:-1]])
def test_of_two_that_are_as_near_the_first_is_taken(sizes: tuple[Size, ...]) -> None:
    assert nearest(sizes, 1024, 1024) == sizes[0]


def test_a_single_size_is_taken_whatever_the_wish() -> None:
    assert nearest([(1536, 1024)], 64, 2048) == (1536, 1024)


@pytest.mark.parametrize(
    ("wish", "side"), [(64, 256), (256, 256), (300, 320), (512, 512), (700, 704), (2048, 1024)]
)
def test_a_side_is_held_to_the_steps(wish: int, side: int) -> None:
    assert nearest_side(256, 1024, 64, wish) == side
