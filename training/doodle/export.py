"""Stage 5: the newest averaged weights as an ordinary diffusers folder in `assets/doodle`.

The denoiser is made surer of where it looks (`lookup.sharpen`).
"""

import argparse
import hashlib
import json
from pathlib import Path

from training.doodle import run
from training.doodle.backgrounds import BACKGROUNDS
from training.doodle.data import ROOT, read_names
from training.doodle.model import export
from training.doodle.pool import freeze_autoencoder
from training.doodle.train_decoder import load_unet
from training.doodle.train_unet import load_text_encoder

FOLDER = ROOT / "assets" / "doodle"


def write_checksums(folder: Path) -> None:
    """SHA-256 of every model file, for the test that guards the shipped weights."""
    sums = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent != folder
    }
    (folder / "checksums.json").write_text(json.dumps(sums, indent=2) + "\n")


def write_words(folder: Path) -> None:
    """The words that it was taught, for people who ask what they may draw: `words.json`."""
    things = sorted({names[0] for names in read_names().values()}, key=str.lower)
    places = [each.phrases[0] for each in BACKGROUNDS]
    groups = [
        {"title": "Things", "words": things, "is_added": False},
        {"title": "Places and backgrounds", "words": places, "is_added": True},
    ]
    (folder / "words.json").write_text(json.dumps(groups, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    args = parser.parse_args()
    vae = freeze_autoencoder()
    if state := run.load("decoder"):
        run.fill(vae.decoder, state["average"], "decoder")
    tokenizer, text_encoder = load_text_encoder()
    export(args.out, vae.float(), load_unet(), text_encoder, tokenizer)
    write_checksums(args.out)
    write_words(args.out)
    size = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    steps = {name: (run.load(name) or {}).get("step") for name in ("unet", "decoder")}
    print(f"{args.out}: {size / 1e6:.1f} MB; checkpoints of steps {steps}")


if __name__ == "__main__":
    main()
