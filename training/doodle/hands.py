"""The hands that draw: eight ways to put one object on paper, from flat blobs to a scribble.

Each redraws an object from its region map (a few flat colours at 64×64). All share wobble and wrong
but near colours.
"""

from collections.abc import Callable

import cv2
import numpy as np

from training.doodle.data import LABEL_PX, Regions
from training.doodle.scenes import SIZE_PX, Bend, Placed

CRAYONS = np.asarray(
    [
        (0, 0, 0), (90, 90, 90), (170, 170, 170), (255, 255, 255), (224, 49, 49), (250, 128, 114),
        (247, 103, 7), (250, 176, 5), (255, 224, 102), (47, 158, 68), (130, 201, 30),
        (12, 133, 153), (34, 139, 230), (116, 192, 252), (25, 60, 160), (112, 72, 232),
        (190, 75, 219), (247, 131, 172), (121, 80, 42), (166, 110, 60), (222, 184, 135),
        (255, 219, 172),
    ],
    np.float32,
)  # fmt: skip
BLACK = (0, 0, 0)
PENS = (BLACK, BLACK, (40, 40, 60), (224, 49, 49), (25, 60, 160), (121, 80, 42), (47, 110, 60))
"""Black twice: most people draw with it."""
Hand = Callable[["Sheet"], None]


class Sheet:
    """One object being drawn on a canvas: masks and colours of its regions, and the dice."""

    def __init__(self, rng: np.random.Generator, canvas: np.ndarray, placed: Placed):
        self.rng, self.canvas, self.placed = rng, canvas, placed
        self.bend = Bend(warp_matrix(rng, placed), displacement(rng))

    def masks(self, num_regions: int) -> list[tuple[np.ndarray, tuple[int, int, int]]]:
        """`(256, 256) bool` mask and colour of each region, largest first."""
        regions = self.placed.concept.regions[num_regions]
        labels = self.bend.bent(regions.labels, cv2.INTER_NEAREST, -1)
        colours = region_colours(regions, self.placed)
        counts = [(labels == k).sum() for k in range(num_regions)]
        order = np.argsort(counts)[::-1]
        return [
            (self.to_canvas(labels == k), self.colour(colours[k])) for k in order if counts[k] > 12
        ]

    def silhouette(self) -> np.ndarray:
        labels = self.bend.bent(self.placed.concept.regions[2].labels, cv2.INTER_NEAREST, -1)
        return self.to_canvas(labels >= 0)

    def to_canvas(self, mask: np.ndarray) -> np.ndarray:
        big = cv2.warpAffine(
            mask.astype(np.float32), self.bend.matrix, (SIZE_PX, SIZE_PX), flags=cv2.INTER_LINEAR
        )
        radius = 2 * int(self.rng.integers(1, 4)) + 1
        return cv2.GaussianBlur(big, (radius, radius), 0) > 0.5

    def colour(self, rgb: np.ndarray) -> tuple[int, int, int]:
        """Wrong but near: shaken, then often the nearest pen of a box of crayons."""
        shaken = rgb + self.rng.normal(0, 14, 3)
        if self.rng.random() < 0.55:
            shaken = CRAYONS[np.square((CRAYONS - shaken) * (0.8, 1.0, 0.6)).sum(axis=1).argmin()]
        red, green, blue = (int(c) for c in np.clip(shaken, 0, 255))
        return red, green, blue

    def pen(self) -> tuple[int, int, int]:
        return PENS[self.rng.integers(len(PENS))]

    def brush(self) -> int:
        """A thick one, in pixels."""
        return max(3, int(self.rng.uniform(0.06, 0.12) * self.placed.size))

    def thickness(self) -> int:
        return max(1, int(self.rng.uniform(0.012, 0.05) * self.placed.size + 1))


def warp_matrix(rng: np.random.Generator, placed: Placed) -> np.ndarray:
    """Region map → canvas: the object's place, a little off.

    Only a little: turn and proportions that a person draws belong to the scene (`Placed`), so that
    the picture follows them.
    """
    angle, shear = rng.normal(0, 0.025), rng.normal(0, 0.02)
    sx, sy = 1 + rng.normal(0, 0.03, 2)
    turn = np.array(
        [[np.cos(angle) * sx, -np.sin(angle) + shear], [np.sin(angle), np.cos(angle) * sy]]
    )
    base = placed.matrix(LABEL_PX).astype(np.float64)
    centre = base @ np.array([LABEL_PX / 2, LABEL_PX / 2, 1])
    moved = centre + rng.normal(0, 0.015, 2) * placed.size
    linear = turn @ base[:, :2]
    offset = moved - linear @ np.array([LABEL_PX / 2, LABEL_PX / 2])
    return np.asarray(np.concatenate([linear, offset[:, None]], axis=1), np.float32)


def displacement(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A smooth random displacement of the region map, across and down, in its pixels."""
    amount = rng.uniform(0.3, 3.0)
    coarse = rng.normal(0, amount, (2, 6, 6)).astype(np.float32)
    across, down = (
        cv2.resize(c, (LABEL_PX, LABEL_PX), interpolation=cv2.INTER_CUBIC) for c in coarse
    )
    return across, down


def region_colours(regions: Regions, placed: Placed) -> np.ndarray:
    """Mean RGB of each region in the colour the object has in this scene, `(k, 3) float32`."""
    small = cv2.resize(
        placed.concept.coloured(placed.colour), (LABEL_PX, LABEL_PX), interpolation=cv2.INTER_AREA
    ).astype(np.float32)
    straight = small[..., :3] / np.maximum(small[..., 3:], 1) * 255
    return np.stack(
        [
            straight[regions.labels == k].mean(axis=0)
            if (regions.labels == k).any()
            else np.zeros(3)
            for k in range(regions.num_regions)
        ]
    ).astype(np.float32)


def _contours(mask: np.ndarray, smallest: float = 30.0) -> list[np.ndarray]:
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return [c for c in found if cv2.contourArea(c) > smallest]


def _trace(sheet: Sheet, mask: np.ndarray, colour: tuple, thickness: int) -> None:
    """Draw a mask's edge as a shaky pen line, sometimes not closed."""
    for contour in _contours(mask):
        step = max(3, int(len(contour) / sheet.rng.integers(10, 40)))
        points = contour[::step, 0].astype(np.float32)
        points += sheet.rng.normal(0, sheet.rng.uniform(0.2, 1.6), points.shape)
        if len(points) < 3:
            continue
        is_closed = bool(sheet.rng.random() < 0.8)
        if not is_closed:
            points = points[: int(len(points) * sheet.rng.uniform(0.7, 0.97))]
        cv2.polylines(
            sheet.canvas,
            [np.asarray(points * 8, np.int32)],
            is_closed,
            colour,
            thickness,
            cv2.LINE_AA,
            3,
        )


def draw_blob(sheet: Sheet) -> None:
    """The silhouette in one or two flat colours."""
    masks = sheet.masks(2)
    if masks:
        sheet.canvas[sheet.silhouette()] = masks[0][1]
        if len(masks) > 1 and sheet.rng.random() < 0.5:
            sheet.canvas[masks[1][0]] = masks[1][1]


def draw_regions(sheet: Sheet) -> None:
    """Flat areas of a few colours, some forgotten."""
    num_regions = int(sheet.rng.choice([2, 3, 5], p=[0.25, 0.4, 0.35]))
    masks = sheet.masks(num_regions)
    if masks:
        sheet.canvas[sheet.silhouette()] = masks[0][1]
    for index, (mask, colour) in enumerate(masks[1:]):
        if index == 0 or sheet.rng.random() > 0.18:
            sheet.canvas[mask] = colour


def draw_primitives(sheet: Sheet) -> None:
    """Each part as an ellipse, a box or a convex shape, as children draw."""
    for mask, colour in sheet.masks(int(sheet.rng.choice([2, 3, 5], p=[0.3, 0.45, 0.25]))):
        contours = sorted(_contours(mask, 0.004 * sheet.placed.size**2), key=cv2.contourArea)[::-1]
        for contour in contours[:5]:
            shape = sheet.rng.random()
            if shape < 0.5 and len(contour) >= 5:
                (cx, cy), (w, h), angle = cv2.fitEllipse(contour)
                area_scale = np.sqrt(cv2.contourArea(contour) / max(np.pi * w * h / 4, 1.0))
                axes = (int(w * area_scale / 2) + 1, int(h * area_scale / 2) + 1)
                if max(axes) < SIZE_PX:
                    cv2.ellipse(
                        sheet.canvas,
                        (int(cx), int(cy)),
                        axes,
                        angle,
                        0,
                        360,
                        colour,
                        -1,
                        cv2.LINE_AA,
                    )
            elif shape < 0.65:
                corners = np.asarray(cv2.boxPoints(cv2.minAreaRect(contour)), np.int32)
                cv2.fillPoly(sheet.canvas, [corners], colour, cv2.LINE_AA)
            else:
                epsilon = sheet.rng.uniform(0.01, 0.04) * cv2.arcLength(contour, True)
                rough = cv2.approxPolyDP(contour, epsilon, True)
                hull = cv2.convexHull(rough) if shape < 0.8 else rough
                cv2.fillPoly(sheet.canvas, [hull], colour, cv2.LINE_AA)


def draw_outline(sheet: Sheet) -> None:
    """One pen: the silhouette and most inner edges."""
    colour, thickness = sheet.pen(), sheet.thickness()
    _trace(sheet, sheet.silhouette(), colour, thickness)
    for mask, _ in sheet.masks(int(sheet.rng.choice([2, 3]))):
        if sheet.rng.random() < 0.75:
            _trace(sheet, mask, colour, thickness)


def draw_coloured_outline(sheet: Sheet) -> None:
    """Each part traced with its own pen."""
    thickness = sheet.thickness() + 1
    for mask, colour in sheet.masks(int(sheet.rng.choice([2, 3]))):
        _trace(sheet, mask, colour, thickness)


def draw_filled_outline(sheet: Sheet) -> None:
    """Flat colours with a pen line around them."""
    draw_regions(sheet)
    _trace(sheet, sheet.silhouette(), sheet.pen(), max(1, sheet.thickness() - 1))


def draw_scribble(sheet: Sheet) -> None:
    """Parts filled by a thick brush going to and fro."""
    brush = sheet.brush()
    for mask, colour in sheet.masks(int(sheet.rng.choice([2, 3]))):
        rows = np.flatnonzero(mask.any(axis=1))
        points = []
        for i, row in enumerate(rows[:: max(2, int(brush * 0.9))]):
            columns = np.flatnonzero(mask[row])
            ends = [columns[0], columns[-1]] if i % 2 == 0 else [columns[-1], columns[0]]
            points += [(x + sheet.rng.normal(0, 2), row + sheet.rng.normal(0, 1)) for x in ends]
        if len(points) > 1:
            cv2.polylines(
                sheet.canvas, [np.asarray(points, np.int32)], False, colour, brush, cv2.LINE_AA
            )


def draw_brush(sheet: Sheet) -> None:
    """A thick brush: one stroke along what is thin, and around what is wide, now and then filled.

    Thin parts become as wide as the brush, as with a child's felt pen.
    """
    brush = sheet.brush()
    for mask, colour in sheet.masks(int(sheet.rng.choice([2, 3]))):
        depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        if depth.max() > 1.5 * brush:
            if sheet.rng.random() < 0.3:
                sheet.canvas[mask] = colour
            _trace(sheet, mask, colour, brush)
            continue
        ridge = (depth > 0) & (depth >= cv2.dilate(depth, np.ones((3, 3))) - 0.3)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (brush, brush))
        sheet.canvas[cv2.dilate(ridge.astype(np.uint8), disc) > 0] = colour


HANDS: tuple[tuple[Hand, float], ...] = (
    (draw_blob, 0.15),
    (draw_regions, 0.20),
    (draw_primitives, 0.20),
    (draw_outline, 0.14),
    (draw_coloured_outline, 0.06),
    (draw_filled_outline, 0.11),
    (draw_scribble, 0.06),
    (draw_brush, 0.08),
)
