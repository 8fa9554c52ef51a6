"""A small set of renders that needs no download: the drawings, cut from their paper."""

import numpy as np

from training.doodle.drawings import all_drawings, render
from training.doodle.features import Recogniser, foreground


def small_gallery() -> Recogniser:
    drawings = [drawing for drawing in all_drawings() if drawing.hand != "pen"][::2]
    names, renders = [], []
    for drawing in drawings:
        picture = render(drawing.strokes, 256)
        alpha = np.where(foreground(picture), 255, 0).astype(np.uint8)[..., None]
        names.append(drawing.label)
        renders.append(np.concatenate([picture, alpha], axis=-1))
    return Recogniser(names, renders)
