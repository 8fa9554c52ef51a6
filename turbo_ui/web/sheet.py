"""The sketch as the lane keeps it: a sheet of paper on which each message changes a rectangle.

A stroke changes little of a board between two frames. A patch of what changed is small enough to
travel without loss, so the sheet is the page's own, pixel for pixel, whatever way led to it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import Pixels

PAPER = 255
NUM_CHANNELS = 3
MAX_WAITING = 64
"""So many patches wait at most; a page that keeps to the flow control has one or two."""

INLINE_SHEET_PX = 512 * 512
INLINE_PATCH_PX = 128 * 128
"""So little is laid on the event loop: it takes less than waking another thread does."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Patch:
    """A rectangle of a sheet, and what it looks like now.

    Attributes:
        sheet: width and height of the whole sheet in pixels.
        at: the rectangle's left and top edge.
        size: its width and height; 0×0 where nothing changed.
        is_first: the sheet is white paper before this patch is laid on it.
        data: zlib stream of its `(H, W, 3) uint8 RGB` pixels, row by row from the top.
    """

    sheet: Pair
    at: Pair
    size: Pair
    is_first: bool
    data: bytes

    @property
    def num_px(self) -> int:
        return self.size[0] * self.size[1]

    def pixels(self) -> Pixels:
        """The pixels, `(H, W, 3) uint8 RGB 0–255`.

        Raises:
            InvalidRequest: the data are no zlib stream, or not of exactly so many bytes.
        """
        width, height = self.size
        num_bytes = self.num_px * NUM_CHANNELS
        inflater = zlib.decompressobj()
        try:
            # one byte more than wanted shows that there are too many, and no more is unpacked
            plain = inflater.decompress(self.data, num_bytes + 1) if num_bytes else b""
        except zlib.error as error:
            allowed = f"a whole zlib stream: {error}"
            raise InvalidRequest("patch", f"{len(self.data)} bytes", allowed) from None
        if len(plain) != num_bytes:
            found = f"{'more than ' * (len(plain) > num_bytes)}{min(len(plain), num_bytes)} bytes"
            raise InvalidRequest("patch", found, f"{num_bytes} bytes for {width}×{height} pixels")
        return np.frombuffer(plain, np.uint8).reshape(height, width, NUM_CHANNELS)


class Sheet:
    """One page's sheet. Patches come in on the event loop; one codec job at a time lays them."""

    def __init__(self) -> None:
        self._pixels: Pixels | None = None
        self._waiting: list[Patch] = []
        self._is_lost = False

    def put(self, patch: Patch) -> None:
        """Takes a patch in; it is laid when the sketch is wanted.

        Raises:
            InvalidRequest: too many wait. None of them is kept: the page has to begin anew.
        """
        if patch.is_first:
            self._waiting.clear()
            self._is_lost = False
        if self._is_lost or len(self._waiting) >= MAX_WAITING:
            self._waiting.clear()
            self._is_lost = True
            allowed = f"at most {MAX_WAITING} that wait, else is_first: none of them was kept"
            raise InvalidRequest("patch", "one too many", allowed)
        self._waiting.append(patch)

    def take_waiting(self) -> list[Patch]:
        """The patches that came in since this was last asked; `lay` them in this order."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def lay(self, patches: Sequence[Patch]) -> Pixels:
        """The sheet with these patches on it, `(H, W, 3) uint8 RGB`; changed by the next call.

        Raises:
            InvalidRequest: a damaged patch, or one for a sheet that is not there. The sheet is gone
                then: the next patch has to be a first one.
        """
        try:
            for patch in patches:
                self._lay(patch)
        except InvalidRequest:
            self._pixels = None
            raise
        if self._pixels is None:
            raise InvalidRequest("patch", "no sheet", "a patch with is_first before any other")
        return self._pixels

    def _lay(self, patch: Patch) -> None:
        width, height = patch.sheet
        if patch.is_first:
            self._pixels = np.full((height, width, NUM_CHANNELS), PAPER, np.uint8)
        if self._pixels is None or self._pixels.shape[:2] != (height, width):
            allowed = "is_first where the server has no sheet of that size yet"
            raise InvalidRequest("patch", f"a patch of a sheet of {width}×{height}", allowed)
        (left, top), (wide, high) = patch.at, patch.size
        self._pixels[top : top + high, left : left + wide] = patch.pixels()


def patch_of(value: object, data: bytes, max_px: int) -> Patch:
    """The patch that a header's `patch` describes and its payload fills.

    Raises:
        InvalidRequest: it is not described as docs/protocol.md says, is not within its sheet, or
            the sheet has a side longer than `max_px`.
    """
    if not isinstance(value, Mapping):
        raise InvalidRequest("patch", value, "an object with sheet, at, size")
    sheet = _pair(value, "sheet", 1, max_px, max_px)
    at = _pair(value, "at", 0, *sheet)
    size = _pair(value, "size", 0, sheet[0] - at[0], sheet[1] - at[1])
    is_first = value.get("is_first", False)
    if not isinstance(is_first, bool):
        raise InvalidRequest("patch.is_first", is_first, "true or false")
    return Patch(sheet, at, size, is_first, data)


def _pair(value: Mapping[str, Any], name: str, least: int, most_x: int, most_y: int) -> Pair:
    found = value.get(name)
    allowed = f"two whole numbers from {least}, at most {most_x} and {most_y}"
    if not isinstance(found, list) or len(found) != 2:
        raise InvalidRequest(f"patch.{name}", found, allowed)
    x, y = found
    for number, most in ((x, most_x), (y, most_y)):
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            raise InvalidRequest(f"patch.{name}", found, allowed)
    return x, y


def is_little(patches: Sequence[Patch]) -> bool:
    """Whether these, one or more, are laid in less time than it takes to wake another thread."""
    sheets_px = [patch.sheet[0] * patch.sheet[1] for patch in patches]
    num_px = sum(patch.num_px for patch in patches)
    return num_px <= INLINE_PATCH_PX and max(sheets_px) <= INLINE_SHEET_PX
