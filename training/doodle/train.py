"""All stages in order, each resumed from its checkpoint: `make train-doodle`.

Stages: autoencoder, text, pool, unet, decoder, export. Stop at any time; the next run goes on.
"""

import argparse
import subprocess
import sys

from training.doodle import data, shipped
from training.doodle.export import FOLDER

STAGES: tuple[tuple[str, str, int], ...] = (
    ("train_autoencoder", "--steps", 9600),
    ("train_text", "--steps", 16_300),
    ("pool", "--shards", 200),
    ("train_unet", "--steps", 15_660),
    ("train_decoder", "--steps", 16_000),
)
"""About what the shipped weights took, in pieces; --scale makes all longer or shorter. Their shapes
grew on the way (`docs/decisions.md`): who starts anew has the last ones from the first step on."""


FROM_SHIPPED: dict[str, tuple[str, ...] | None] = {
    "train_autoencoder": None,  # it is frozen: what was learnt on its latents would be lost
    "train_text": ("--lr", "1.2e-3"),  # at twice this rate it unlearns first
}
"""Where weights were trained before: further options of a stage; None leaves it out."""


def commands(scale: float, only: str | None, from_shipped: bool) -> list[list[str]]:
    """Modules and their options, in order."""
    found = []
    for name, option, length in STAGES:
        further = FROM_SHIPPED.get(name, ()) if from_shipped else ()
        if further is not None and only in (None, name):
            count = str(max(1, round(length * scale)))
            found.append([f"training.doodle.{name}", option, count, *further])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [name for name, _, _ in STAGES]
    parser.add_argument(
        "--scale", type=float, default=1.0, help="multiplies the length of every stage"
    )
    parser.add_argument("--only", choices=names, help="run this stage alone, then export")
    parser.add_argument(
        "--from-shipped",
        action="store_true",
        help="first make what checkpoints are missing from the shipped weights",
    )
    args = parser.parse_args()
    data.fetch()
    if args.from_shipped and (written := shipped.unpack(FOLDER)):
        print("from the shipped weights:", ", ".join(written))
    for command in commands(args.scale, args.only, args.from_shipped):
        print("·", " ".join(command), flush=True)
        subprocess.run([sys.executable, "-m", *command], check=True)
    subprocess.run([sys.executable, "-m", "training.doodle.export"], check=True)


if __name__ == "__main__":
    main()
