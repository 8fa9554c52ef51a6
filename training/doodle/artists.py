"""Other artists' pictures of the things doodle knows, for sketches of other shapes than its own.

A sketch made from doodle's own picture of a castle always has that castle's towers. People draw
other towers: while sketches came from its own pictures alone, a drawing of another shape was
painted as the mean of all the ways in which it could be that castle, which is a blur.

The sets come from npm's `@iconify-json` packages and have permissive licences; what is fetched by
`training.doodle.data` is not committed. Noto's is not among them: the evaluation draws those.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import resvg_py

from training.doodle.data import (
    ARTISTS,
    DATA_DIR,
    LABEL_PX,
    OBJECT_PX,
    Concept,
    dominant_hue,
    premultiply,
)

_LEAST_OVERLAP = 0.55
"""Of both silhouettes, one fitted into the other's box: below it they show different things, or one
thing from different sides."""
_MOST_STRETCH = 1.7  # of width against height; beyond it the two lie differently
_MOST_COLOUR = 40.0
"""Lab distance of mean colours: from farther ones the denoiser would learn to overlook colour."""
_OPAQUE = 128
_FULL = 0.97  # of its box: a picture with a backdrop, not a thing
_OTHER_THINGS: dict[str, frozenset[str]] = {
    "twemoji": frozenset(("astronaut", "rooster")),  # a person; a white hen
    "emojione": frozenset(
        # faces and animals that crouch before us; a hoop; a toy
        ("dog", "cat", "tiger", "cow", "pig", "rabbit", "basketball", "horse")
    ),
    "fxemoji": frozenset(
        # heads; the front of a tram; a tent seen as a triangle; a white hen
        ("dog", "cat", "tiger", "pig", "bird", "train", "tent", "rooster")
    ),
    "streamline-emojis": frozenset(("maple-leaf", "octopus", "rooster")),  # hemp; a bowl; a hen
}
"""Icons of the right name and outline that show something else, or the same from another side."""


def load_artists(concepts: Sequence[Concept], root: Path = DATA_DIR) -> None:
    """Set `drawn_by` of each concept: the same thing by every other artist who has it alike."""
    slugs = json.loads(_file(root, "twemoji", "chars.json"))
    sets = {artist: json.loads(_file(root, artist, "icons.json")) for artist in ARTISTS}
    for concept in concepts:
        names = names_of(concept, slugs)
        found = (_drawn(concept, names, artist, icons) for artist, icons in sets.items())
        concept.drawn_by = tuple(each for each in found if each is not None)


def _file(root: Path, artist: str, name: str) -> str:
    path = root / artist / name
    if not path.exists():
        raise SystemExit(f"{path} is missing; run `make doodle-data` first")
    return path.read_text(encoding="utf-8")


def names_of(concept: Concept, slugs: dict[str, str]) -> list[str]:
    """What a set may call it, the surest first: Unicode's name, the label, the name in captions.

    Args:
        slugs: of code point sequences in lower case, without the variation selector.
    """
    code = concept.hexcode.lower().replace("-fe0f", "")
    words = [concept.label.lower(), concept.name.lower()]
    named = [slugs[code]] if code in slugs else []
    return named + [word.replace("’", "").replace(" ", "-") for word in words]


def _drawn(
    concept: Concept, names: list[str], artist: str, icons: dict[str, Any]
) -> Concept | None:
    """The surest name that the set has decides: a further one would be something else."""
    aliases = icons.get("aliases", {})
    resolved = (aliases.get(name, {}).get("parent", name) for name in names)
    name = next((each for each in resolved if each in icons["icons"]), None)
    if name is None or name in _OTHER_THINGS[artist]:
        return None
    image = fitted(rasterise(icons, name), concept.image)
    image = None if image is None else matched(image, concept)
    return None if image is None else replace(concept, image=small(image), _recoloured={})


def matched(image: np.ndarray, concept: Concept) -> np.ndarray | None:
    """A picture in the colours of doodle's own, as far as turning its main hue brings it there.

    Otherwise the picture that a sketch becomes would have another colour than was drawn.

    Args:
        image: `(256, 256, 4) uint8` RGBA, straight alpha.
        concept: what it shows.

    Returns:
        The same shape; None where the colours stay too far apart.
    """
    wanted = mean_colour(concept.image)
    far = [
        (float(np.linalg.norm(mean_colour(each) - wanted)), index, each)
        for index, each in enumerate((image, turned(image, concept.main_hue)))
    ]
    distance, _, nearest = min(far)
    return nearest if distance <= _MOST_COLOUR else None


def mean_colour(image: np.ndarray) -> np.ndarray:
    """Lab of what is opaque, `(3,) float32`."""
    rgb = image[..., :3].astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[image[..., 3] >= _OPAQUE].mean(axis=0))


def turned(image: np.ndarray, wanted: float | None) -> np.ndarray:
    """A picture of one main colour in another, as a blue bird in red; its other colours stay.

    Args:
        image: `(H, W, 4) uint8` RGBA, straight alpha.
        wanted: hue in degrees; None leaves the picture as it is.
    """
    known = dominant_hue(image)
    if known is None or wanted is None:
        return image
    hsv = cv2.cvtColor(image[..., :3].astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    offset = (hsv[..., 0] - known + 180) % 360 - 180
    is_main = np.clip((45 - np.abs(offset)) / 15, 0, 1)
    hsv[..., 0] = (hsv[..., 0] + is_main * ((wanted - known + 180) % 360 - 180)) % 360
    rgb = (cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).round().astype(np.uint8)
    return np.concatenate([rgb, image[..., 3:]], axis=-1)


def small(image: np.ndarray) -> np.ndarray:
    """As large as the maps that hands draw from: nothing else is made of it."""
    shrunk = cv2.resize(premultiply(image), (LABEL_PX, LABEL_PX), interpolation=cv2.INTER_AREA)
    return _straight(shrunk)


def rasterise(icons: dict[str, Any], name: str) -> np.ndarray:
    """One icon of a set, as large as it goes into `(256, 256, 4) uint8` RGBA, straight alpha."""
    icon = icons["icons"][name]
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    left, top = icon.get("left", 0), icon.get("top", 0)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}" width="{OBJECT_PX}" height="{OBJECT_PX}">'
        f"{icon['body']}</svg>"
    )
    encoded = np.frombuffer(resvg_py.svg_to_bytes(svg_string=svg), np.uint8)
    drawn = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    assert drawn is not None
    return cv2.cvtColor(drawn, cv2.COLOR_BGRA2RGBA)


def fitted(image: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
    """A picture stretched into the box of another and turned to the side which that looks to.

    So a sketch of the one has the place, the proportions and the side of the other.

    Args:
        image, wanted: `(256, 256, 4) uint8` RGBA, straight alpha.

    Returns:
        The same shape; None where the two are too unlike.
    """
    source, target = (_box(each) for each in (image, wanted))
    if source is None or target is None:
        return None
    across, down = (target[1] - target[0]) / (source[1] - source[0])
    if max(across / down, down / across) > _MOST_STRETCH or _fills(image, source):
        return None
    shift = target.mean(axis=0) - source.mean(axis=0) * (across, down)
    matrix = np.array([[across, 0, shift[0]], [0, down, shift[1]]], np.float64)
    placed = cv2.warpAffine(premultiply(image), matrix, (OBJECT_PX, OBJECT_PX))
    mirror = np.array([[-1, 0, target[:, 0].sum()], [0, 1, 0]], np.float64)
    flipped = cv2.warpAffine(placed, mirror, (OBJECT_PX, OBJECT_PX))
    best = min((placed, flipped), key=lambda each: _distance(each, premultiply(wanted)))
    return _straight(best) if _overlap(best, wanted) >= _LEAST_OVERLAP else None


def _box(image: np.ndarray) -> np.ndarray | None:
    """Left top and right bottom of what is opaque, `(2, 2)` of x and y; None if nothing is."""
    rows, columns = np.nonzero(image[..., 3] >= _OPAQUE)
    if len(rows) < 2 or np.ptp(rows) < 1 or np.ptp(columns) < 1:
        return None
    return np.array([[columns.min(), rows.min()], [columns.max(), rows.max()]], np.float64)


def _fills(image: np.ndarray, box: np.ndarray) -> bool:
    """Whether all of a square is opaque."""
    width, height = box[1] - box[0] + 1
    covered = (image[..., 3] >= _OPAQUE).sum() / (width * height)
    return bool(covered >= _FULL and max(width, height) < 1.1 * min(width, height))


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of what is opaque."""
    first, second = a[..., 3] >= _OPAQUE, b[..., 3] >= _OPAQUE
    return float((first & second).sum() / max((first | second).sum(), 1))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference of two premultiplied pictures, coarsely: where they are dark, long or red."""
    coarse = [cv2.resize(each, (16, 16), interpolation=cv2.INTER_AREA) for each in (a, b)]
    return float(np.abs(coarse[0].astype(np.float32) - coarse[1]).mean())


def _straight(image: np.ndarray) -> np.ndarray:
    alpha = image[..., 3:].astype(np.float32)
    rgb = (image[..., :3] / np.maximum(alpha, 1) * 255).round().clip(0, 255)
    return np.concatenate([rgb.astype(np.uint8), image[..., 3:]], axis=-1)
