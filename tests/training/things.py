"""A few things to draw that need no download: pictures made of circles and boxes."""

import cv2
import numpy as np

from training.doodle.data import Concept

RED, WHITE, GREEN = (224, 40, 40, 255), (250, 250, 250, 255), (40, 160, 70, 255)


def ball() -> np.ndarray:
    """A red ball with a light spot, `(256, 256, 4) uint8` RGBA."""
    picture = np.zeros((256, 256, 4), np.uint8)
    cv2.circle(picture, (128, 128), 100, RED, -1)
    cv2.circle(picture, (96, 96), 24, WHITE, -1)
    return picture


def box() -> np.ndarray:
    """A green box with a white lid, `(256, 256, 4) uint8` RGBA."""
    picture = np.zeros((256, 256, 4), np.uint8)
    cv2.rectangle(picture, (40, 60), (216, 220), GREEN, -1)
    cv2.rectangle(picture, (30, 40), (226, 80), WHITE, -1)
    return picture


def concepts() -> list[Concept]:
    """Five things with names, of which two have synonyms."""
    names = ("apple", "bee", "cat", "owl", "fox")
    pictures = [ball(), box(), ball(), box(), ball()]
    synonyms = {"apple": ("fruit",), "cat": ("kitty",)}
    return [
        Concept(index, name, name, f"1F{index:03X}", picture, synonyms.get(name, ()))
        for index, (name, picture) in enumerate(zip(names, pictures, strict=True))
    ]
