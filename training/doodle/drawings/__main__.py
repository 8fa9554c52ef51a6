"""`python -m training.doodle.drawings`: write the app's example sketches, or a sheet of all."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from training.doodle.drawings import all_drawings, render
from training.doodle.drawings.scenes import examples, write_examples

EXAMPLES = Path(__file__).resolve().parents[3] / "assets" / "examples"


def sheet(columns: int = 10, cell_px: int = 192) -> np.ndarray:
    """Return every drawing and example with its label below, (H, W, 3) uint8 RGB."""
    items = [(d.label, d.strokes) for d in all_drawings()]
    items += [(example["prompt"], example["strokes"]) for example in examples().values()]
    caption_px = 18
    row_px = cell_px + caption_px
    picture = np.full((-(-len(items) // columns) * row_px, columns * cell_px, 3), 205, np.uint8)
    for index, (text, strokes) in enumerate(items):
        y, x = index // columns * row_px, index % columns * cell_px
        picture[y : y + cell_px - 4, x : x + cell_px - 4] = render(strokes, cell_px - 4)
        at = (x + 2, y + cell_px + 9)
        cv2.putText(
            picture, text[:28], at, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA
        )
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--write-examples", action="store_true", help=f"write {EXAMPLES.name}/*.json"
    )
    parser.add_argument("--sheet", type=Path, help="write a sheet of all drawings to this PNG")
    args = parser.parse_args()
    if args.write_examples:
        for file in write_examples(EXAMPLES):
            print(f"wrote {file.relative_to(EXAMPLES.parents[1])}")
    if args.sheet:
        cv2.imwrite(str(args.sheet), cv2.cvtColor(sheet(), cv2.COLOR_RGB2BGR))
        print(f"wrote {args.sheet}")


if __name__ == "__main__":
    main()
