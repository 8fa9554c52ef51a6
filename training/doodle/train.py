"""All stages in order, each resumed from its checkpoint: `make train-doodle`.

Stages: autoencoder, text, pool, unet, decoder, export. Stop at any time; the next run goes on.
"""

import argparse
import subprocess
import sys

from training.doodle import data, shipped
from training.doodle.export import FOLDER

# Lengths for a night on two CPU cores; a GPU run passes longer ones with --scale.
STAGES: tuple[tuple[str, str, int], ...] = (
    ("train_autoencoder", "--steps", 9000),
    ("train_text", "--steps", 5000),
    ("pool", "--shards", 64),
    ("train_unet", "--steps", 30_000),
    ("train_decoder", "--steps", 4000),
)


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
        help="make the checkpoints that are missing of the shipped weights first",
    )
    args = parser.parse_args()
    data.fetch()
    if args.from_shipped:
        print("from the shipped weights:", ", ".join(shipped.unpack(FOLDER)))
    for name, option, length in STAGES:
        if args.only in (None, name):
            count = str(max(1, round(length * args.scale)))
            command = [sys.executable, "-m", f"training.doodle.{name}", option, count]
            print("·", " ".join(command[2:]), flush=True)
            subprocess.run(command, check=True)
    subprocess.run([sys.executable, "-m", "training.doodle.export"], check=True)


if __name__ == "__main__":
    main()
