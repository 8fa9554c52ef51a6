"""What lies behind the things of a scene: plain colours and painted sceneries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

SIZE_PX = 256
PLAIN = {
    "white": (255, 255, 255),
    "pink": (252, 196, 215),
    "yellow": (255, 231, 140),
    "blue": (160, 205, 250),
    "green": (178, 226, 170),
    "orange": (255, 200, 145),
    "purple": (209, 187, 245),
    "red": (240, 120, 115),
    "grey": (200, 202, 208),
    "black": (32, 33, 38),
}


@dataclass(frozen=True)
class Background:
    """A backdrop: `kind` names a painter, `phrases` are ways to say it ("" says nothing)."""

    kind: str
    phrases: tuple[str, ...]
    horizon: float = 0.62


def _vertical(top: Sequence[int], bottom: Sequence[int], height: int) -> np.ndarray:
    ramp = np.linspace(0, 1, max(height, 1), dtype=np.float32)[:, None, None]
    return np.broadcast_to(
        np.asarray(top, np.float32) * (1 - ramp) + np.asarray(bottom, np.float32) * ramp,
        (max(height, 1), SIZE_PX, 3),
    )


Band = tuple[Sequence[int], Sequence[int]]
"""Colours at the top and the bottom of a gradient, RGB 0–255."""


def _split(horizon: float, sky: Band, ground: Band, curve: float = 0.0) -> np.ndarray:
    """Sky over ground, each a (top, bottom) gradient; `curve` (px) bends the horizon."""
    line = int(horizon * SIZE_PX)
    picture = _vertical(*sky, SIZE_PX).copy()
    ground_px = _vertical(*ground, SIZE_PX)
    x = np.linspace(-1, 1, SIZE_PX)
    below = np.arange(SIZE_PX)[:, None] - (line + curve * (x**2 - 0.5))[None]
    weight = np.clip(below + 0.5, 0, 1)[..., None]
    ground_px = ground_px[np.clip(below, 0, SIZE_PX - 1).astype(int), 0]
    return picture * (1 - weight) + ground_px * weight


def _night(horizon: float) -> np.ndarray:
    picture = _vertical((18, 22, 58), (62, 62, 122), SIZE_PX).copy()
    rng = np.random.default_rng(5)  # the same stars every night: one right answer
    for x, y, r in zip(*rng.integers(0, SIZE_PX, (2, 26)), rng.uniform(0.8, 1.9, 26), strict=True):
        cv2.circle(picture, (int(x), int(y)), round(r), (250, 244, 205), -1, cv2.LINE_AA)
    return picture


_FLOOR = 0.66  # a room is seen from within: its floor lies low


def _room(horizon: float) -> np.ndarray:
    return _split(
        max(horizon, _FLOOR), ((247, 226, 200), (240, 208, 174)), ((176, 126, 88), (148, 100, 66))
    )


PAINTERS: dict[str, Callable[[float], np.ndarray]] = {
    "grass": lambda h: _split(
        h, ((140, 205, 250), (214, 238, 255)), ((134, 200, 92), (84, 160, 62)), 26
    ),
    "sea": lambda h: _split(h, ((150, 212, 250), (222, 242, 255)), ((60, 150, 215), (24, 92, 168))),
    "underwater": lambda h: _vertical((96, 200, 226), (18, 88, 160), SIZE_PX),
    "beach": lambda h: _split(
        h, ((126, 206, 250), (206, 240, 252)), ((250, 226, 164), (232, 196, 126)), -14
    ),
    "snow": lambda h: _split(
        h, ((176, 210, 240), (226, 238, 250)), ((252, 253, 255), (222, 232, 246)), 22
    ),
    "night": _night,
    "sunset": lambda h: _split(
        h, ((250, 150, 96), (255, 214, 140)), ((120, 74, 104), (76, 48, 84))
    ),
    "room": _room,
    "sky": lambda h: _vertical((112, 186, 248), (220, 240, 255), SIZE_PX),
}
_SCENERY = {
    "grass": (
        "on grass",
        "on the grass",
        "in a meadow",
        "on a lawn",
        "in a field",
        "blue sky and grass",
    ),
    "sea": ("on the sea", "at sea", "on the ocean", "on water"),
    "underwater": ("in the sea", "under water", "underwater", "in the ocean"),
    "beach": ("on the beach", "on a beach", "on sand"),
    "snow": ("in the snow", "on snow", "in winter"),
    "night": ("night sky", "at night", "starry night", "under the stars"),
    "sunset": ("at sunset", "sunset", "in the evening"),
    "room": ("in a room", "indoors", "on the floor"),
    "sky": ("in the sky", "blue sky", "in the air"),
}
WHITE = Background("plain:white", ("",))
BACKGROUNDS: tuple[Background, ...] = (
    *(Background(kind, phrases) for kind, phrases in _SCENERY.items()),
    *(
        Background(f"plain:{name}", (f"{name} background", f"on {name}", f"on a {name} background"))
        for name in PLAIN
        if name != "white"
    ),
)
PHRASE_WORDS = {word for each in BACKGROUNDS for phrase in each.phrases for word in phrase.split()}


def paint_background(background: Background) -> np.ndarray:
    """`(256, 256, 3) float32` RGB 0–255."""
    if background.kind.startswith("plain:"):
        colour = np.asarray(PLAIN[background.kind.removeprefix("plain:")], np.float32)
        return np.broadcast_to(colour, (SIZE_PX, SIZE_PX, 3)).copy()
    return PAINTERS[background.kind](background.horizon).astype(np.float32).copy()


def drawn_at(rng: np.random.Generator, background: Background) -> Background:
    """The same with its horizon anywhere that a hand may draw it."""
    lowest = _FLOOR if background.kind == "room" else 0.35
    return replace(background, horizon=rng.uniform(lowest, 0.85))
