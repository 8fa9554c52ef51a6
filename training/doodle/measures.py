"""The maths of each measure, on plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from training.doodle.features import Recogniser, foreground, to_lab
from training.doodle.painters import STRENGTH, Painter

FAR_PX = 32
"""One added stroke may change the picture nearer than this, and should not beyond."""
MIN_REGION = 0.02
"""Colours covering less than this part of what is drawn are edges, not regions."""


Through = Callable[[np.ndarray], np.ndarray]
"""One (256, 256, 3) uint8 RGB picture to another."""


@dataclass(frozen=True)
class Case:
    """One question to a painter: words and a sketch, and what should be recognised.

    Attributes:
        name: the render that should be nearest (a hexcode).
        label: the same for people.
        prompt: the words.
        sketch: (256, 256, 3) uint8 RGB, None for an empty board.
        seed: of the noise.
        scene: the picture that the sketch was made from, if it was made from one; nobody's answer
            can be expected to follow the sketch more closely than this.
    """

    name: str
    label: str
    prompt: str
    sketch: np.ndarray | None
    seed: int
    scene: np.ndarray | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        case: the question.
        rank: 0 if recognised at once, 1 if one other render was nearer, ...
        iou: overlap of what was drawn and what was painted, 0-1; None if nothing is drawn.
        lab: mean Lab distance between the colours of their regions; None if nothing is drawn.
        sharpness: of what was painted; None if nothing was.
    """

    case: Case
    rank: int
    iou: float | None
    lab: float | None
    sharpness: float | None


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two (H, W) bool masks; 1 if both are empty."""
    union = int((a | b).sum())
    return float((a & b).sum() / union) if union else 1.0


def region_distance(sketch: np.ndarray, picture: np.ndarray) -> float | None:
    """Mean Lab distance between the sketch's colour regions and the picture under them.

    A region is all that is drawn in one colour. Regions count by their area.

    Args:
        sketch, picture: (H, W, 3) uint8 RGB.

    Returns:
        CIE76 distance, 0-about 200; None if nothing is drawn.
    """
    mask = foreground(sketch)
    if not mask.any():
        return None
    coarse = (sketch.astype(np.int32) + 8) >> 4
    key = np.where(mask, coarse[..., 0] * 10000 + coarse[..., 1] * 100 + coarse[..., 2], -1)
    colours, counts = np.unique(key[mask], return_counts=True)
    kept = counts >= MIN_REGION * mask.sum()
    lab_sketch, lab_picture = to_lab(sketch), to_lab(picture)
    total, weight = 0.0, 0
    for colour, count in zip(colours[kept], counts[kept], strict=True):
        region = key == colour
        gap = lab_sketch[region].mean(axis=0) - lab_picture[region].mean(axis=0)
        total += float(np.linalg.norm(gap)) * int(count)
        weight += int(count)
    return total / weight if weight else None


def sharpness(picture: np.ndarray, mask: np.ndarray) -> float | None:
    """Root mean square gradient of lightness in and around a mask (Tenengrad, Krotkov 1988).

    Squares tell an edge of one pixel from the same edge spread over eight; a mean would not.

    Args:
        picture: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, what is painted.

    Returns:
        L* per pixel, 0 to about 70 (a straight edge gives at most 50); None if nothing is painted.
    """
    if not mask.any():
        return None
    down, across = np.gradient(to_lab(picture)[..., 0])
    looked_at = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    return float(np.sqrt((np.square(down) + np.square(across))[looked_at].mean()))


def far_change(before: np.ndarray, after: np.ndarray, stroke: np.ndarray) -> float | None:
    """Mean absolute change of pixels farther than 32 px from a stroke.

    Args:
        before, after: (H, W, 3) uint8 RGB.
        stroke: (H, W) bool, where the stroke lies.

    Returns:
        0-255; None if no pixel is that far.
    """
    distance = cv2.distanceTransform((~stroke).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    far = distance > FAR_PX
    if not far.any():
        return None
    return float(np.abs(before[far].astype(np.int16) - after[far].astype(np.int16)).mean())


def answer(
    painter: Painter, cases: Sequence[Case], recogniser: Recogniser, strength: float = STRENGTH
) -> list[Outcome]:
    """Let a painter paint every case, and look at what came."""
    return [
        look(case, painter(case.prompt, case.sketch, strength=strength, seed=case.seed), recogniser)
        for case in cases
    ]


def behind(
    cases: Sequence[Case], recogniser: Recogniser, through: Through = np.copy
) -> list[Outcome]:
    """Look at the scenes that sketches were made from: the best that can be expected.

    Args:
        through: what they go through first, such as an autoencoder.
    """
    scenes = [(case, case.scene) for case in cases if case.scene is not None]
    return [look(case, through(scene), recogniser) for case, scene in scenes]


def look(case: Case, picture: np.ndarray, recogniser: Recogniser) -> Outcome:
    """What a (256, 256, 3) uint8 RGB picture is worth as the answer to a case."""
    overlap = lab = None
    mask = foreground(picture)
    if case.sketch is not None:
        drawn = foreground(case.sketch)
        overlap = iou(drawn, mask) if drawn.any() else None
        lab = region_distance(case.sketch, picture)
    rank = recogniser.rank(picture, case.name, mask)
    return Outcome(case, rank, overlap, lab, sharpness(picture, mask))


def summary(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Top-1 and top-5 in %; means of IoU, Lab distance of region colours, and sharpness."""

    def mean(values: list[float]) -> float | None:
        return float(np.mean(values)) if values else None

    ranks = np.array([outcome.rank for outcome in outcomes])
    return {
        "num": len(outcomes),
        "top1": 100 * float((ranks < 1).mean()),
        "top5": 100 * float((ranks < 5).mean()),
        "iou": mean([o.iou for o in outcomes if o.iou is not None]),
        "lab": mean([o.lab for o in outcomes if o.lab is not None]),
        "sharpness": mean([o.sharpness for o in outcomes if o.sharpness is not None]),
    }


def both_sides(
    painter: Painter, pairs: Sequence[tuple[Case, Case]], recogniser: Recogniser
) -> dict[str, float]:
    """Share of pairs in % whose left half shows the left thing and whose right half the right one.

    Both cases of a pair hold the same prompt, sketch and seed; each half is looked at alone.
    """
    ranks = []
    for left, right in pairs:
        picture = painter(left.prompt, left.sketch, seed=left.seed)
        middle = picture.shape[1] // 2
        halves = ((picture[:, :middle], left), (picture[:, middle:], right))
        ranks.append([recogniser.rank(half, case.name) for half, case in halves])
    table = np.array(ranks)
    return {
        "num": len(ranks),
        "both_top1": 100 * float((table < 1).all(axis=1).mean()),
        "both_top5": 100 * float((table < 5).all(axis=1).mean()),
        "one_top1": 100 * float((table < 1).mean()),
        "left_top1": 100 * float((table[:, 0] < 1).mean()),
        "right_top1": 100 * float((table[:, 1] < 1).mean()),
        "right_top5": 100 * float((table[:, 1] < 5).mean()),
    }


def calm(
    painter: Painter, cases: Sequence[tuple[Case, np.ndarray]], stroke_masks: Sequence[np.ndarray]
) -> float:
    """Mean change far from one added stroke, 0-255.

    Args:
        painter: paints both pictures with the same seed.
        cases: a case, and its sketch with one stroke more.
        stroke_masks: (256, 256) bool, where that stroke lies.
    """
    changes = []
    for (case, more), mask in zip(cases, stroke_masks, strict=True):
        before = painter(case.prompt, case.sketch, seed=case.seed)
        change = far_change(before, painter(case.prompt, more, seed=case.seed), mask)
        if change is not None:
            changes.append(change)
    return float(np.mean(changes))
