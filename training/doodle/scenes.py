"""Scenes of up to four objects with a caption: what the model learns to paint.

A caption without a place for each word would leave the model guessing, and a guess averaged over
all answers is a smear. So whatever the sketch does not show has one right answer: text alone gives
a canonical layout, and a background that is neither named nor drawn is white.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from training.doodle.backgrounds import (
    BACKGROUNDS,
    SIZE_PX,
    WHITE,
    Background,
    drawn_at,
    paint_background,
)
from training.doodle.captions import write_caption
from training.doodle.data import COLOURS, OBJECT_PX, Concept

CANONICAL = {  # number of objects → (centre x, centre y, size) of each, in pixels
    0: (),
    1: ((128, 128, 200),),
    2: ((70, 132, 118), (186, 132, 118)),
    3: ((48, 132, 84), (128, 132, 84), (208, 132, 84)),
    4: ((72, 72, 100), (184, 72, 100), (72, 184, 100), (184, 184, 100)),
}
_FLIPPED_SHARE = 0.06
"""Of things in a scene to be sketched. Most rough sketches do not tell which way a thing looks: at
0.3 the denoiser looked up both sides of it at once, 0.8 of 8 places across off the right one and
0.3 down."""
_SEVERAL_SHARE = 0.15  # of scenes with more than one thing: some are the same
_ALIKE_SHARE = 0.06
"""Of scenes without a sketch: two to four of one thing and nothing else. At under 1 % of these,
"three apples" were painted as two."""
_ASIDE_SHARE = 0.3
"""Of one thing without a sketch: it is told where to stand. At 0.15 "a cat on the right" was a pale
cat on each side."""
_UNSAID_SHARE = 0.5
"""Of scenes of no thing, without a sketch: no background is named either. While one always was, the
empty caption was the ghost of a shirt."""
_LOOSE_SHARE = 0.2
"""Of sketched scenes: the caption does not name what is drawn. People type before they have cleared
the board, and name some of what they drew. While captions always named all of it and nothing else,
an owl over a house and a sun was one brown smear across both."""
UNNAMED = -1  # in place of the noun of a thing that no noun names
_SMALL_SHARE, _SMALLEST_PX = 0.1, 40
"""Of sketched scenes: things are smaller than the others'. While none was under 60 px, an apple of
42 px was painted three times as large as it was drawn."""


@dataclass(frozen=True)
class Placed:
    """One object on the canvas; centre and size in pixels of the 256×256 picture."""

    concept: Concept
    x: float
    y: float
    size: float
    is_flipped: bool = False
    colour: str | None = None
    angle: float = 0.0  # radians, clockwise on the screen
    stretch: tuple[float, float] = (1.0, 1.0)  # of width and height, before the turn

    def matrix(self, source_px: int) -> np.ndarray:
        """The 2×3 affine matrix from a `source_px` square picture of the object to the canvas."""
        scale = self.size / source_px
        across, down = scale * self.stretch[0], scale * self.stretch[1]
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        linear = turn @ np.diag([-across if self.is_flipped else across, down])
        centre = np.array([self.x, self.y]) - 0.5  # pixel centres
        offset = centre - linear @ np.full(2, (source_px - 1) / 2)
        return np.asarray(np.concatenate([linear, offset[:, None]], axis=1), np.float32)


@dataclass(frozen=True)
class Bend:
    """How a hand draws an object: near its place, and not quite in its shape.

    Attributes:
        matrix: 2×3, from a pixel of the bent `source_px` square to the canvas.
        shift: where each pixel of the bent square comes from less where it is, across and down:
            two of `(source_px, source_px) float32`.
    """

    matrix: np.ndarray
    shift: tuple[np.ndarray, np.ndarray]

    def at(self, source_px: int) -> "Bend":
        """The same for a square of another size."""
        known_px = len(self.shift[0])
        ratio = known_px / source_px
        linear = self.matrix[:, :2]
        offset = self.matrix[:, 2] + linear @ np.full(2, (ratio - 1) / 2)  # pixel centres
        matrix = np.concatenate([linear * ratio, offset[:, None]], axis=1)
        across, down = (cv2.resize(s, (source_px, source_px)) / ratio for s in self.shift)
        return Bend(np.asarray(matrix, np.float32), (across, down))

    def eased(self, share: float) -> "Bend":
        """The same place and proportions, with that share of the wobble."""
        across, down = self.shift
        return replace(self, shift=(across * share, down * share))

    def bent(self, source: np.ndarray, mode: int, border: float) -> np.ndarray:
        """A `source_px` square picture, bent but not yet placed."""
        y, x = np.indices(source.shape[:2], dtype=np.float32)
        across, down = self.shift
        return cv2.remap(source, x + across, y + down, mode, borderValue=(border,) * 4)


@dataclass(frozen=True)
class Scene:
    """What is shown, and what is said of it.

    Attributes:
        nouns: which noun of the caption names each object, `UNNAMED` where none does.
        drawn_as: of each object the thing that the sketch shows in its place, None where that is
            the object itself; empty where it is so of all.
    """

    objects: tuple[Placed, ...]
    background: Background
    caption: str
    is_background_drawn: bool = False
    nouns: tuple[int, ...] = ()
    drawn_as: tuple[Concept | None, ...] = ()


def place_layer(placed: Placed, bend: Bend | None = None) -> np.ndarray:
    """The object at its place or as a hand drew it, `(256, 256, 4) uint8` premultiplied RGBA."""
    source = placed.concept.coloured(placed.colour)
    if placed.size < OBJECT_PX / 2:  # average down first: bilinear sampling alone would alias
        target = max(8, round(placed.size))
        source = cv2.resize(source, (target, target), interpolation=cv2.INTER_AREA)
    matrix = placed.matrix(source.shape[0])
    if bend is not None:
        bend = bend.at(source.shape[0])
        source, matrix = bend.bent(source, cv2.INTER_LINEAR, 0), bend.matrix
    return cv2.warpAffine(source, matrix, (SIZE_PX, SIZE_PX), flags=cv2.INTER_LINEAR)


def render(scene: Scene, bends: Sequence[Bend] = ()) -> np.ndarray:
    """The picture of a scene, `(256, 256, 3) uint8` RGB; later objects lie in front.

    Args:
        scene: what is shown.
        bends: how each object was drawn, if the picture is to follow that.
    """
    picture = paint_background(scene.background)
    for placed, bend in itertools.zip_longest(scene.objects, bends):
        layer = place_layer(placed, bend).astype(np.float32)
        picture = picture * (1 - layer[..., 3:] / 255) + layer[..., :3]
    return picture.round().clip(0, 255).astype(np.uint8)


def _pick(
    rng: np.random.Generator, concepts: Sequence[Concept], num: int, first: Concept | None
) -> list[Concept]:
    """Different things, now and then one of them several times: side by side, as one noun names
    them."""
    chosen = [concepts[i] for i in rng.choice(len(concepts), num, replace=False)]
    if first is not None:
        chosen[0] = first
    if num > 1 and rng.random() < _SEVERAL_SHARE:
        others = [each for each in chosen[1:] if each is not chosen[0]]
        num_others = int(rng.integers(0, min(num - 1, len(others) + 1)))  # two alike at least
        chosen = [chosen[0]] * (num - num_others) + others[:num_others]
        if rng.random() < 0.5:
            chosen.reverse()
    return chosen


def _colours(
    rng: np.random.Generator, chosen: Sequence[Concept], probability: float
) -> list[str | None]:
    """Of each thing; the same of those that are the same."""
    of_each = {concept.index: _colour(rng, concept, probability) for concept in chosen}
    return [of_each[concept.index] for concept in chosen]


def _colour(rng: np.random.Generator, concept: Concept, probability: float) -> str | None:
    if concept.main_hue is None or rng.random() >= probability:
        return None
    return tuple(COLOURS)[rng.integers(len(COLOURS))]


def sample_canonical(
    rng: np.random.Generator, concepts: Sequence[Concept], first: Concept | None = None
) -> Scene:
    """A scene that text alone determines."""
    if rng.random() < _ALIKE_SHARE:
        num = int(rng.integers(2, 5))
        chosen = _pick(rng, concepts, 1, first) * num
    else:
        num = int(rng.choice([0, 1, 2, 3, 4], p=[0.1, 0.52, 0.28, 0.07, 0.03]))
        chosen = _pick(rng, concepts, num, first) if num else []
    side = int(rng.integers(2)) if num == 1 and rng.random() < _ASIDE_SHARE else None
    layout = CANONICAL[num] if side is None else CANONICAL[2][side : side + 1]
    objects = tuple(
        Placed(concept, x, y, size, colour=colour)
        for concept, colour, (x, y, size) in zip(
            chosen, _colours(rng, chosen, 0.18), layout, strict=True
        )
    )
    background = WHITE
    if rng.random() < (0.3 if num else 1 - _UNSAID_SHARE):
        background = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    phrase = background.phrases[rng.integers(len(background.phrases))]
    if num == 4:  # reading order is not left to right
        objects = tuple(sorted(objects, key=lambda p: (p.x, p.y)))
    caption = write_caption(rng, objects, phrase, has_sketch=False, side=side)
    return Scene(objects, background, caption.text, nouns=caption.nouns)


def _overlap(a: Placed, b: Placed) -> float:
    reach = (a.size + b.size) / 2
    dx, dy = reach - abs(a.x - b.x), reach - abs(a.y - b.y)
    return max(dx, 0) * max(dy, 0) / min(a.size, b.size) ** 2


def _loosened(
    rng: np.random.Generator, concepts: Sequence[Concept], objects: Sequence[Placed]
) -> tuple[list[int], list[Placed], tuple[Concept | None, ...]]:
    """Which objects are named, the objects, and what the sketch shows in place of each.

    A name that nothing on the board has means the largest thing there that has no other name, if
    the name alone tells what it looks like. Those that are alike are named together.
    """
    shown = list(objects)
    drawn_as: list[Concept | None] = [None] * len(objects)
    alike = list(dict.fromkeys(placed.concept.index for placed in objects))
    is_other = len(alike) == 1 or rng.random() < 0.5
    num_named = int(rng.integers(0 if is_other else 1, len(alike)))
    named = {alike[index] for index in rng.permutation(len(alike))[:num_named]}
    if is_other:
        rest = [i for i, placed in enumerate(objects) if placed.concept.index not in named]
        largest = max(rest, key=lambda index: objects[index].size)
        concept = objects[largest].concept
        named.add(concept.index)
        is_only_one = sum(placed.concept is concept for placed in objects) == 1
        if is_only_one and not concept.sketch_only_names:
            others = [each for each in concepts if each.index not in alike]
            drawn_as[largest] = others[rng.integers(len(others))]
            shown[largest] = replace(objects[largest], colour=None, is_flipped=False)
    indices = [i for i, placed in enumerate(objects) if placed.concept.index in named]
    return indices, shown, tuple(drawn_as)


def sample_sketched(
    rng: np.random.Generator, concepts: Sequence[Concept], first: Concept | None = None
) -> Scene:
    """A scene whose layout a sketch will show."""
    num = int(rng.choice([0, 1, 2, 3, 4], p=[0.02, 0.4, 0.4, 0.13, 0.05]))
    chosen = _pick(rng, concepts, num, first) if num else []
    smallest, largest = {1: (104, 240), 2: (84, 142), 3: (70, 114), 4: (62, 104)}.get(num, (0, 0))
    if rng.random() < _SMALL_SHARE:
        smallest, largest = _SMALLEST_PX, smallest
    objects: list[Placed] = []
    for concept, colour in zip(chosen, _colours(rng, chosen, 0.2), strict=True):
        candidate = None
        for _ in range(12):
            size = rng.uniform(smallest, largest)
            margin = size * 0.46
            candidate = Placed(
                concept,
                rng.uniform(margin, SIZE_PX - margin),
                rng.uniform(margin, SIZE_PX - margin),
                size,
                is_flipped=bool(rng.random() < _FLIPPED_SHARE),
                colour=colour,
                angle=rng.normal(0, 0.09),
                stretch=(rng.uniform(0.82, 1.0), rng.uniform(0.82, 1.0)),
            )
            if all(_overlap(candidate, other) < 0.12 for other in objects):
                objects.append(candidate)
                break
    background, is_named, is_drawn = WHITE, False, False
    if num == 0 or rng.random() < 0.42:
        background = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
        is_named = bool(rng.random() < 0.75)
        is_drawn = not is_named or bool(rng.random() < 0.45)
        if is_drawn:
            background = drawn_at(rng, background)
    phrase = background.phrases[rng.integers(len(background.phrases))] if is_named else ""
    named, drawn_as = list(range(len(objects))), ()
    if objects and rng.random() < _LOOSE_SHARE:
        named, objects, drawn_as = _loosened(rng, concepts, objects)
    caption = write_caption(rng, [objects[index] for index in named], phrase, has_sketch=True)
    nouns = [UNNAMED] * len(objects)
    for index, noun in zip(named, caption.nouns, strict=True):
        nouns[index] = noun
    return Scene(tuple(objects), background, caption.text, is_drawn, tuple(nouns), drawn_as)
