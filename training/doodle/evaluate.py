"""Does the embedded model meet its limits? Measures everything its card claims, and writes it.

`python -m training.doodle.evaluate` measures the model and two baselines by the same questions,
and writes `results.json`, `contact_sheet.jpg` and the marked block of `README.md` in the model's
folder. The numbers come from seeds and drawings that training never uses.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.doodle import cases, contact_sheet, footprint, other_set, report
from training.doodle.data import ROOT, Concept, load_concepts
from training.doodle.features import Recogniser
from training.doodle.machine import machine_card
from training.doodle.measures import (
    Outcome,
    Through,
    answer,
    behind,
    both_sides,
    calm,
    summary,
)
from training.doodle.painters import (
    STRENGTH,
    Autoencoder,
    ModelPainter,
    Painter,
    Paste,
    identity,
)

STRENGTHS = (0.4, 0.6, 0.8, 1.0)
MODEL = ROOT / "assets" / "doodle"
LOOSE_STEP = 2
"""Every other one is asked of the questions where words and sketch do not tell the same."""
QUICK_STEP = 8
"""--quick looks at every eighth question."""


@dataclass
class Questions:
    """Everything that is asked, each made once and put to every painter."""

    concepts: list[Concept]
    is_quick: bool = False
    text: list = field(init=False)
    sketch: list = field(init=False)
    drawings: dict[str, list] = field(init=False)
    noto: list = field(init=False)
    pairs: list = field(init=False)
    synonyms: list = field(init=False)
    synonyms_beside_sketch: list = field(init=False)
    other_word: list = field(init=False)
    half_named: list = field(init=False)
    vague: dict[str, list] = field(init=False)
    calm: tuple[list, list] = field(init=False)

    def __post_init__(self) -> None:
        step = QUICK_STEP if self.is_quick else 1
        few = self.concepts[::step]
        self.text = cases.text_cases(few)
        self.sketch = cases.sketch_cases(few)
        drawn = cases.drawing_cases(self.concepts)
        self.drawings = {hand: items[::step] for hand, items in drawn.items()}
        self.noto = cases.sketch_cases(other_set.redrawn(few), family=2)
        self.pairs = cases.pair_cases(self.concepts)[::step]
        self.synonyms = cases.synonym_cases(few, with_sketch=False)
        self.synonyms_beside_sketch = cases.synonym_cases(few, with_sketch=True)
        self.other_word = cases.other_word_cases(few)[::LOOSE_STEP]
        self.half_named = cases.half_named_cases(self.concepts, self.pairs[::LOOSE_STEP])
        self.vague = cases.vague_cases(few, self.concepts)
        before_after, masks = cases.one_stroke_more(self.concepts)
        self.calm = (before_after[::step], masks[::step])


def ask(painter: Painter, questions: Questions, recogniser: Recogniser) -> dict[str, Any]:
    """Put every question to one painter.

    Returns:
        Summaries by group of questions; "outcomes" holds what they were made from.
    """
    outcomes: dict[str, list[Outcome]] = {
        "text": answer(painter, questions.text, recogniser),
        "sketch": answer(painter, questions.sketch, recogniser),
        **{
            f"drawings: {hand}": answer(painter, items, recogniser)
            for hand, items in questions.drawings.items()
        },
        "noto": answer(painter, questions.noto, recogniser),
        "synonyms": answer(painter, questions.synonyms, recogniser),
        "synonyms beside a sketch": answer(painter, questions.synonyms_beside_sketch, recogniser),
    }
    outcomes["other word"] = answer(painter, questions.other_word, recogniser)
    for group, items in questions.vague.items():
        outcomes[group] = answer(painter, items, recogniser)
    outcomes["drawings"] = [
        o for group, found in outcomes.items() if group.startswith("drawings: ") for o in found
    ]
    results: dict[str, Any] = {group: summary(found) for group, found in outcomes.items()}
    results["pairs"] = both_sides(painter, questions.pairs, recogniser)
    results["half named"] = both_sides(painter, questions.half_named, recogniser)
    results["calm"] = calm(painter, *questions.calm)
    results["outcomes"] = outcomes
    return results


def ceiling(
    questions: Questions, recogniser: Recogniser, through: Through = np.copy
) -> dict[str, Any]:
    """Summaries of the scenes behind the sketches: how well a perfect answer would do.

    Args:
        through: what the scenes go through first, such as the model's autoencoder.
    """
    groups = {
        "sketch": questions.sketch,
        "synonyms beside a sketch": questions.synonyms_beside_sketch,
        "no words": questions.vague["no words"],
    }
    found = {name: summary(behind(of, recogniser, through)) for name, of in groups.items()}
    shown = [
        (replace(left, sketch=left.scene), replace(right, sketch=right.scene))
        for left, right in questions.pairs
    ]

    def perfect(
        prompt: str, sketch: np.ndarray | None, strength: float = STRENGTH, seed: int = 0
    ) -> np.ndarray:
        assert sketch is not None
        return through(sketch)

    return found | {"pairs": both_sides(perfect, shown, recogniser)}


def by_strength(
    painter: Painter, questions: Questions, recogniser: Recogniser, known: dict[str, Any]
) -> dict[str, Any]:
    """Summaries of sketch and text, and of the drawings, at each strength.

    Args:
        known: the painter's summaries at the usual strength, which are not asked for again.
    """
    drawings = [case for items in questions.drawings.values() for case in items]
    table: dict[str, Any] = {}
    for strength in STRENGTHS:
        if strength == STRENGTH:
            table[str(strength)] = {group: known[group] for group in ("sketch", "drawings")}
            continue
        table[str(strength)] = {
            "sketch": summary(answer(painter, questions.sketch, recogniser, strength)),
            "drawings": summary(answer(painter, drawings, recogniser, strength)),
        }
    return table


def weakest(outcomes: dict[str, list[Outcome]]) -> dict[str, list[str]]:
    """Labels that were not among the five nearest, for those who train the model on."""
    return {
        group: [f"{o.case.label} ({o.rank})" for o in found if o.rank >= 5]
        for group, found in outcomes.items()
        if not group.startswith("drawings: ")
    }


def card() -> dict[str, Any]:
    """The machine and settings behind the qualities."""
    return machine_card() | {"strength": STRENGTH, "first_seed": cases.SEED}


def evaluate(
    folder: Path, is_quick: bool, timed: dict[str, Any], say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure what the model in a folder and the baselines paint; nothing is written.

    Args:
        folder: of a model.
        is_quick: ask an eighth of the questions.
        timed: its `timing`, taken before the machine was kept busy.
        say: gets a line after each painter.

    Returns:
        What goes into `results.json`.
    """
    started_at, about = time.monotonic(), card()
    recogniser = cases.every_render()
    questions = Questions(load_concepts(), is_quick)
    say(f"{len(recogniser.names)} renders, {len(questions.text)} names")
    model = ModelPainter(folder)
    painters: dict[str, Painter] = {
        "model": model,
        "identity": identity,
        "paste": Paste(recogniser),
    }
    results: dict[str, Any] = {}
    outcomes: dict[str, list[Outcome]] = {}
    for name, painter in painters.items():
        results[name] = ask(painter, questions, recogniser)
        found = results[name].pop("outcomes")
        outcomes = found if name == "model" else outcomes
        shown = {group: results[name][group]["top1"] for group in ("text", "sketch", "drawings")}
        say(f"{name}: top-1 % {shown}, at {(time.monotonic() - started_at) / 60:.1f} min")
    strengths = by_strength(model, questions, recogniser, results["model"])
    minutes = round((time.monotonic() - started_at) / 60, 1)
    measured = {
        "card": about | {"minutes": minutes},
        "weights": weights_digest(folder),
        "is_quick": is_quick,
        "num_renders": len(recogniser.names),
        **results,
        "scene": ceiling(questions, recogniser),
        "autoencoder": ceiling(questions, recogniser, Autoencoder(folder)),
        "strengths": strengths,
        "weakest": weakest(outcomes),
    }
    return _judged(folder, measured | timed)


def _judged(folder: Path, measured: dict[str, Any]) -> dict[str, Any]:
    """The same with the folder's size, which is taken last, and how it meets the limits."""
    measured["machine"]["size_mb"] = footprint.size_mb(folder)
    return measured | {"limits": report.limits(measured)}


def timing(folder: Path) -> dict[str, Any]:
    """How fast a model is, and where; how busy the machine was is asked before it is kept busy."""
    return {"speed_card": machine_card(), "machine": footprint.measure_apart(folder)}


def weights_digest(folder: Path) -> str:
    """Tells which weights were measured: the SHA-256 of all of a folder's safetensors."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def timed_anew(folder: Path, known: dict[str, Any]) -> dict[str, Any]:
    """What is known of a model, with speed, memory and size measured again.

    Raises:
        ValueError: what is known is of other weights.
    """
    if known.get("weights") != weights_digest(folder):
        raise ValueError(f"results.json is not of the weights in {folder}: measure all of it")
    return _judged(folder, known | timing(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the embedded model; write its card.")
    parser.add_argument("--model", type=Path, default=MODEL, help="a diffusers folder")
    parser.add_argument("--out", type=Path, help="where to write; the model's folder by default")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--quick", action="store_true", help="an eighth of the questions")
    part.add_argument(
        "--only-speed",
        action="store_true",
        help="measure speed, memory and size again, where other work slowed them; keep the rest",
    )
    args = parser.parse_args()
    out: Path = args.out or args.model
    results_file = out / "results.json"
    if args.only_speed and not results_file.exists():
        parser.error(f"--only-speed needs {results_file}: measure without it first")
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    if args.only_speed:
        try:
            measured = timed_anew(args.model, json.loads(results_file.read_text(encoding="utf-8")))
        except ValueError as error:
            parser.error(f"--only-speed: {error}")
    else:
        measured = measure(args.model, args.quick, out / "contact_sheet.jpg")
    tables = report.markdown(measured)  # first, as it may miss what older results do not hold
    text = json.dumps(measured, indent=1, ensure_ascii=False) + "\n"
    results_file.write_text(text, encoding="utf-8")
    report.write_block(out / "README.md", tables)
    print(tables)
    print(json.dumps({row["key"]: row["value"] for row in measured["limits"]}))


def measure(folder: Path, is_quick: bool, sheet: Path) -> dict[str, Any]:
    """Everything, speed first; the contact sheet is written before the folder's size is taken."""
    timed = timing(folder)
    speed = timed["machine"]
    print(
        f"{speed['frames_per_second']:.1f} frames/s, {speed['peak_memory_mb']:.0f} MB", flush=True
    )
    contact_sheet.write(ModelPainter(folder), sheet)
    return evaluate(folder, is_quick, timed, say=partial(print, flush=True))


if __name__ == "__main__":
    main()
