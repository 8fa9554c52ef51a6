"""The questions of the evaluation, made from seeds that training never uses."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.doodle import sketch as sketches
from training.doodle.data import DATA_DIR, Concept, read_emojibase, read_picture
from training.doodle.drawings import BOARD_PX, Stroke, all_drawings, render
from training.doodle.features import Recogniser
from training.doodle.kept import IDLE_ASKED, wider_asked, wider_words
from training.doodle.measures import Case
from training.doodle.nouns import article
from training.doodle.painters import SIZE_PX
from training.doodle.scenes import WHITE, Placed, Scene
from training.doodle.scenes import render as render_scene

SEED = 770_000_000
"""First of the seeds kept for evaluation, of noise and of sketches."""
NO_OBJECTS = (2, 9)
"""emojibase's groups of skin tones and hair, and of flags."""
NUM_PAIRS = 200


def every_render() -> Recogniser:
    """All renders but flags and skin tones, named by hexcode: some 1,600."""
    names, renders = [], []
    for entry in read_emojibase():
        picture = read_picture(entry["hexcode"], DATA_DIR)
        if entry["group"] not in NO_OBJECTS and picture is not None:
            names.append(entry["hexcode"])
            renders.append(picture)
    return Recogniser(names, renders)


def _dice(*key: int) -> np.random.Generator:
    return np.random.default_rng((SEED, *key))


def noun_phrase(concept: Concept) -> str:
    """ "a cat", "an apple"."""
    return f"{article(concept.name)} {concept.name}"


def sketch_alone(rng: np.random.Generator, concept: Concept) -> tuple[np.ndarray, np.ndarray]:
    """One object at some place and size on white paper, drawn by the sketch module.

    Returns:
        The sketch, and the scene that it was made from; both (256, 256, 3) uint8 RGB.
    """
    size = rng.uniform(120, 235)
    margin = 0.47 * size
    x, y = rng.uniform(margin, SIZE_PX - margin, 2)
    placed = Placed(concept, x, y, size, is_flipped=bool(rng.random() < 0.3))
    scene = Scene((placed,), WHITE, "")
    return sketches.degrade(rng, scene), render_scene(scene)


def text_cases(concepts: Sequence[Concept]) -> list[Case]:
    """Every name on an empty board."""
    return [Case(c.hexcode, c.label, noun_phrase(c), None, SEED + c.index) for c in concepts]


def sketch_cases(concepts: Sequence[Concept], family: int = 1) -> list[Case]:
    """Every name with a degraded sketch; another family is another set of sketches."""
    cases = []
    for concept in concepts:
        picture, scene = sketch_alone(_dice(family, concept.index), concept)
        seed = SEED + 1000 * family + concept.index
        words = noun_phrase(concept)
        cases.append(Case(concept.hexcode, concept.label, words, picture, seed, scene))
    return cases


def drawing_cases(concepts: Sequence[Concept]) -> dict[str, list[Case]]:
    """The drawings written as strokes, by the hand that drew them."""
    hexcodes = {concept.label: concept.hexcode for concept in concepts}
    cases: dict[str, list[Case]] = {}
    for index, drawing in enumerate(all_drawings()):
        picture = render(drawing.strokes, SIZE_PX)
        code = hexcodes[drawing.label]
        case = Case(code, drawing.label, drawing.prompt, picture, SEED + 5000 + index)
        cases.setdefault(drawing.hand, []).append(case)
    return cases


def synonym_cases(concepts: Sequence[Concept], with_sketch: bool) -> list[Case]:
    """Every tag kept out of training, alone or beside a sketch."""
    cases = []
    for concept in concepts:
        for index, tag in enumerate(concept.held_out_synonyms):
            picture = scene = None
            if with_sketch:
                picture, scene = sketch_alone(_dice(6, concept.index, index), concept)
            seed = SEED + 20000 + 10 * concept.index + index
            cases.append(Case(concept.hexcode, concept.label, tag, picture, seed, scene))
    return cases


def pair_cases(concepts: Sequence[Concept], num: int = NUM_PAIRS) -> list[tuple[Case, Case]]:
    """ "A and B", A drawn in the left half and B in the right, each well within its half."""
    rng = _dice(7)
    pairs = []
    for index in range(num):
        chosen = [concepts[i] for i in rng.choice(len(concepts), 2, replace=False)]
        sizes = rng.uniform(88, 108, 2)
        placed = tuple(
            Placed(concept, 64 + 128 * side + rng.uniform(-5, 5), rng.uniform(90, 166), size)
            for side, (concept, size) in enumerate(zip(chosen, sizes, strict=True))
        )
        scene = Scene(placed, WHITE, "")
        picture, truth = sketches.degrade(rng, scene), render_scene(scene)
        prompt = " and ".join(noun_phrase(concept) for concept in chosen)
        seed = SEED + 30000 + index
        left, right = (Case(c.hexcode, c.label, prompt, picture, seed, truth) for c in chosen)
        pairs.append((left, right))
    return pairs


def other_word_cases(concepts: Sequence[Concept]) -> list[Case]:
    """A sketch of one thing with the name of another, which should take its place."""
    cases = []
    for index, concept in enumerate(concepts):
        drawn = concepts[(index + len(concepts) // 2) % len(concepts)]
        picture, _ = sketch_alone(_dice(9, concept.index), drawn)
        seed = SEED + 40000 + concept.index
        cases.append(Case(concept.hexcode, concept.label, noun_phrase(concept), picture, seed))
    return cases


def vague_cases(
    concepts: Sequence[Concept], everything: Sequence[Concept]
) -> dict[str, list[Case]]:
    """Sketches of single things, and drawings, that no word names: they have to tell it alone.

    Args:
        concepts: what is sketched.
        everything: all that the model was taught, whose tags tell which words are wider.

    Returns:
        "no words" beside a sketch and beside a drawing; "no meaning": words that mean no thing;
        "wider words": such as other things share, where they can be kept from training.
    """
    wider, asked = wider_words(everything), wider_asked(everything)
    cases: dict[str, list[Case]] = {"no words": [], "no meaning": [], "wider words": []}
    for turn, concept in enumerate(concepts):
        rng = _dice(11, concept.index)
        picture, scene = sketch_alone(rng, concept)
        seed = SEED + 50000 + concept.index
        case = Case(concept.hexcode, concept.label, "", picture, seed, scene)
        cases["no words"].append(case)
        cases["no meaning"].append(replace(case, prompt=IDLE_ASKED[turn % len(IDLE_ASKED)]))
        words = asked[concept.label] or wider[concept.label]
        if words:
            word = words[rng.integers(len(words))]
            cases["wider words"].append(replace(case, prompt=word))
    drawn = itertools.chain(*drawing_cases(everything).values())
    cases["drawings without words"] = [replace(case, prompt="") for case in drawn]
    return cases


def half_named_cases(
    concepts: Sequence[Concept], pairs: Sequence[tuple[Case, Case]]
) -> list[tuple[Case, Case]]:
    """The sketches of pairs, with the name of the left thing alone."""
    known = {concept.hexcode: concept for concept in concepts}
    halves = []
    for left, right in pairs:
        prompt = noun_phrase(known[left.name])
        halves.append((replace(left, prompt=prompt), replace(right, prompt=prompt)))
    return halves


def one_stroke_more(
    concepts: Sequence[Concept],
) -> tuple[list[tuple[Case, np.ndarray]], list[np.ndarray]]:
    """Every drawing, the same with one stroke added somewhere, and that stroke's mask.

    Returns:
        Cases with the (256, 256, 3) uint8 sketch after the stroke; (256, 256) bool masks.
    """
    drawings = {drawing.label: drawing.strokes for drawing in all_drawings()}
    cases, masks = [], []
    everything = [case for hand in drawing_cases(concepts).values() for case in hand]
    for index, case in enumerate(everything):
        stroke = _random_stroke(_dice(8, index))
        cases.append((case, render([*drawings[case.label], stroke], SIZE_PX)))
        alone = render([{**stroke, "color": "#000000"}], SIZE_PX)
        masks.append((alone < 128).any(axis=-1))
    return cases, masks


def _random_stroke(rng: np.random.Generator) -> Stroke:
    """A bent line of 60 to 140 board px."""
    start = rng.uniform(60, BOARD_PX - 60, 2)
    heading, length = rng.uniform(0, 2 * np.pi), rng.uniform(60, 140)
    headings = heading + np.cumsum(rng.normal(0, 0.2, 8))
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * length / 8
    points = np.clip(start + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]), 0, 511)
    color = "#" + "".join(f"{value:02x}" for value in rng.integers(0, 220, 3))
    width = float(rng.integers(8, 25))
    return {"color": color, "width": width, "points": points.round(1).tolist(), "fill": False}
