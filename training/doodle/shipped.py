"""Checkpoints made of the shipped weights, so that training can go on where the run folder is lost.

What only training needs is not in a diffusers folder: optimisers' states and the text encoder's
read-outs start anew. Steps count from 0, so every stage warms up again. What `export` sharpened is
as soft again as it was trained.
"""

import shutil
from pathlib import Path

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

from training.doodle import run
from training.doodle.export import FOLDER
from training.doodle.lookup import SHARPENED, sharpen
from training.doodle.words import TOKENIZER_DIR


def unpack(folder: Path) -> list[str]:
    """Write every checkpoint that is not there yet; returns the names of those written.

    Args:
        folder: an exported model, as `export` writes it today: another `SHARPENED` is not known of.
    """
    vae = AutoencoderKL.from_pretrained(folder / "vae").float()
    denoiser = UNet2DConditionModel.from_pretrained(folder / "unet").float()
    sharpen(denoiser, 1 / SHARPENED)
    unet = denoiser.state_dict()
    encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").state_dict()
    decoder = vae.decoder.state_dict()
    states = {
        "autoencoder-frozen": {"model": vae.state_dict()},
        "text": {"model": encoder, "step": 0},
        "unet": {"model": unet, "average": unet, "step": 0},
        "decoder": {"model": decoder, "average": decoder, "step": 0},
    }
    missing = [name for name in states if not (run.RUN_DIR / f"{name}.pt").exists()]
    for name in missing:
        run.save(name, states[name])
    if "text" in missing:  # another tokenizer's numbers would mean other words
        shutil.copytree(folder / "tokenizer", TOKENIZER_DIR, dirs_exist_ok=True)
    return missing


def main() -> None:
    written = unpack(FOLDER)
    print("written:", ", ".join(written) or "nothing, all checkpoints are there")


if __name__ == "__main__":
    main()
