"""The sheet: patches add up to the board pixel for pixel, and a wrong one never goes unnoticed."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import Pixels
from turbo_ui.web.sheet import MAX_WAITING, Patch, Sheet, patch_of

SIDE = 24


def patch_between(before: Pixels, after: Pixels) -> Patch:
    """What changed, as the page finds it."""
    rows, columns = np.nonzero((before != after).any(axis=2))
    if not len(rows):
        return Patch((SIDE, SIDE), (0, 0), (0, 0), False, b"")
    top, bottom = int(rows.min()), int(rows.max()) + 1
    left, right = int(columns.min()), int(columns.max()) + 1
    data = zlib.compress(after[top:bottom, left:right].tobytes())
    return Patch((SIDE, SIDE), (left, top), (right - left, bottom - top), False, data)


def first(sheet: tuple[int, int] = (SIDE, SIDE)) -> Patch:
    return Patch(sheet, (0, 0), (0, 0), True, b"")


@given(st.lists(st.tuples(*[st.integers(0, SIDE - 1)] * 4, st.integers(0, 255)), max_size=6))
def test_patches_add_up_to_the_board(strokes: list[tuple[int, int, int, int, int]]) -> None:
    sheet, board = Sheet(), np.full((SIDE, SIDE, 3), 255, np.uint8)
    sheet.put(first())
    for top, left, height, width, grey in strokes:
        before = board.copy()
        board[top : top + height, left : left + width] = (grey, 7, 255 - grey)
        sheet.put(patch_between(before, board))
    assert np.array_equal(sheet.lay(sheet.take_waiting()), board)
    assert sheet.take_waiting() == []
    assert np.array_equal(sheet.lay([]), board)


def test_a_first_patch_begins_on_white_paper_and_makes_older_ones_needless() -> None:
    sheet = Sheet()
    sheet.put(Patch((9, 9), (0, 0), (1, 1), False, b"damaged"))
    sheet.put(first((4, 2)))
    assert np.array_equal(sheet.lay(sheet.take_waiting()), np.full((2, 4, 3), 255, np.uint8))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "0 bytes"),
        (b"no zlib at all", "zlib stream"),
        (zlib.compress(b"1234567890a"), "11 bytes'; allowed: 12 bytes"),
        (zlib.compress(b"1234567890ab")[:-7], "bytes"),
        (zlib.compress(b"1234567890abc"), "more than 12 bytes"),
        (zlib.compress(bytes(50_000_000)), "more than 12 bytes"),
    ],
)
def test_a_damaged_patch_is_told_and_the_sheet_has_to_begin_anew(data: bytes, told: str) -> None:
    sheet = Sheet()
    sheet.lay([first()])
    with pytest.raises(InvalidRequest, match=told) as error:
        sheet.lay([Patch((SIDE, SIDE), (0, 0), (2, 2), False, data)])
    assert error.value.field == "patch"
    with pytest.raises(InvalidRequest, match="is_first"):
        sheet.lay([])
    assert sheet.lay([first()]).shape == (SIDE, SIDE, 3)


def test_a_patch_of_a_sheet_that_is_not_there_is_told() -> None:
    sheet = Sheet()
    sheet.lay([first()])
    with pytest.raises(InvalidRequest, match="48×24"):
        sheet.lay([Patch((48, 24), (0, 0), (0, 0), False, b"")])


def test_who_never_waits_loses_the_sheet_and_not_the_servers_memory() -> None:
    sheet = Sheet()
    sheet.put(first())
    for _ in range(MAX_WAITING - 1):
        sheet.put(Patch((SIDE, SIDE), (0, 0), (0, 0), False, b""))
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="is_first"):
            sheet.put(Patch((SIDE, SIDE), (0, 0), (0, 0), False, b""))
        assert sheet.take_waiting() == []
    sheet.put(first())
    assert len(sheet.take_waiting()) == 1


GOOD = {"sheet": [8, 6], "at": [1, 2], "size": [7, 4], "is_first": True}


def test_a_header_describes_a_patch() -> None:
    assert patch_of(GOOD, b"x", max_px=8) == Patch((8, 6), (1, 2), (7, 4), True, b"x")
    assert not patch_of({**GOOD, "is_first": False}, b"", 8).is_first


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"sheet": [0, 6]}, "patch.sheet"),
        ({"sheet": [9, 6]}, "patch.sheet"),
        ({"sheet": [8.0, 6]}, "patch.sheet"),
        ({"sheet": [8]}, "patch.sheet"),
        ({"sheet": None}, "patch.sheet"),
        ({"at": [-1, 0]}, "patch.at"),
        ({"at": [True, 0]}, "patch.at"),
        ({"at": "12"}, "patch.at"),
        ({"size": [8, 4]}, "patch.size"),
        ({"size": [7, 5]}, "patch.size"),
        ({"size": [10**400, 1]}, "patch.size"),
        ({"is_first": 1}, "patch.is_first"),
    ],
)
def test_a_wrong_description_is_told_by_its_field(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        patch_of({**GOOD, **wrong}, b"", max_px=8)
    assert error.value.field == field


@pytest.mark.parametrize("value", [None, [], "patch", 3])
def test_what_is_no_description_is_told(value: object) -> None:
    with pytest.raises(InvalidRequest, match="sheet, at, size"):
        patch_of(value, b"", max_px=8)
