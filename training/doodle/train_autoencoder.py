"""Stage 1: the autoencoder, on crops of scenes and sketches."""

import argparse
import copy
from typing import Any

import cv2
import numpy as np
import torch

from training.doodle import run, scenes, sketch
from training.doodle.data import load_concepts
from training.doodle.losses import colour_loss, picture_loss, whiteness_loss
from training.doodle.model import (
    LATENT_CHANNELS,
    build_autoencoder,
    encode_latents,
    fix_posterior,
)
from turbo_ui.backends.compute import keep_memory

# Sides of the crops of one batch after the other: a batch has about as many pixels each time.
# Small crops are varied; plain areas far from any edge, and the normalisation's statistics over a
# whole picture, are seen in large ones alone.
CROPS_PX = (96, 192, 96, 256)


class Crops:
    """Batches of random crops from a slowly renewed set of pictures, a third of them sketches."""

    def __init__(self, seed: int, num_pictures: int = 600):
        self.rng = np.random.default_rng(seed)
        self.concepts = load_concepts()
        self.pictures = [self._picture() for _ in range(num_pictures)]

    def _picture(self) -> np.ndarray:
        scene = scenes.sample_sketched(self.rng, self.concepts)
        return sketch.degrade(self.rng, scene) if self.rng.random() < 0.35 else scenes.render(scene)

    def batch(self, size: int, crop_px: int) -> torch.Tensor:
        """`(N, 3, crop_px, crop_px) float32`, −1 to 1, of about the area of `size` small crops.

        Small crops with something on them are preferred.
        """
        if crop_px > CROPS_PX[0]:
            self.pictures[self.rng.integers(len(self.pictures))] = self._picture()
        num = max(1, size * CROPS_PX[0] ** 2 // crop_px**2)
        crops = []
        while len(crops) < num:
            picture = self.pictures[self.rng.integers(len(self.pictures))]
            for _ in range(4):
                y, x = self.rng.integers(0, (scenes.SIZE_PX - crop_px) // 8 + 1, 2) * 8
                crop = picture[y : y + crop_px, x : x + crop_px]
                if crop_px > CROPS_PX[0] or crop[::4, ::4].std(axis=(0, 1)).max() > 12:
                    break
            crops.append(crop[:, ::-1] if self.rng.random() < 0.5 else crop)
        stacked = np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2))
        return torch.from_numpy(stacked).float() / 127.5 - 1


def to_tensor(pictures: list[np.ndarray]) -> torch.Tensor:
    """`(N, 3, H, W) float32`, −1 to 1, of pictures `(H, W, 3) uint8`."""
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy()).float() / 127.5 - 1


def build_normalisation(momentum: float | None = 0.02) -> torch.nn.BatchNorm2d:
    """Running mean and deviation of latents; a momentum of None takes all batches alike."""
    return torch.nn.BatchNorm2d(LATENT_CHANNELS, affine=False, momentum=momentum)


@torch.no_grad()
def fold(vae: Any, crops: Crops, num_batches: int = 80) -> Any:
    """A copy whose encoder gives the latents that the decoder was trained on.

    The averaged weights' own statistics, over batches as training sees them. With those of the
    latest weights, or of whole pictures, the colours came out too weak or too strong.
    """
    folded = copy.deepcopy(vae).cpu().float()
    normalise = build_normalisation(momentum=None)
    for step in range(num_batches):
        normalise(encode_latents(folded, crops.batch(8, CROPS_PX[step % len(CROPS_PX)])))
    mean, variance = normalise.running_mean, normalise.running_var
    assert mean is not None
    assert variance is not None
    deviation = (variance + normalise.eps).sqrt()
    last = folded.encoder.conv_out
    last.weight[:LATENT_CHANNELS].div_(deviation[:, None, None, None])
    last.bias[:LATENT_CHANNELS].sub_(mean).div_(deviation)
    fix_posterior(folded)
    return folded


def sample_sheet(vae: Any, pictures: list[np.ndarray], name: str) -> None:
    batch = to_tensor(pictures)
    with torch.no_grad():
        decoded = vae.decode(encode_latents(vae, batch)).sample
    both = torch.cat([batch, decoded.clamp(-1, 1)], dim=2)
    grid = ((both.permute(2, 0, 3, 1).flatten(1, 2) + 1) * 127.5).byte().numpy()
    cv2.imwrite(str(run.RUN_DIR / name), cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--sheet-every", type=int, default=1000)
    args = parser.parse_args()
    keep_memory()
    torch.manual_seed(args.seed)
    device = run.device()
    vae = build_autoencoder().to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(
        vae.parameters(), lr=args.lr, betas=(0.9, 0.98), weight_decay=1e-3
    )
    average = run.Average(vae, 0.998)
    # Unit variance while it trains, whatever the encoder's scale, by running statistics: those of
    # a single plain picture would blow its noise up. `fold` builds them into the weights later.
    normalise = build_normalisation().to(device)
    first = 0
    if state := run.load("autoencoder"):
        run.fill(vae, state["model"], "autoencoder")
        average.module.load_state_dict(state["average"])
        average.num_updates = first = state["step"]
        if "optimiser" in state:  # dropped where the network has changed in between
            optimiser.load_state_dict(state["optimiser"])
        normalise.load_state_dict(state["normalise"])
    crops = Crops(args.seed + first)
    held_out = Crops(args.seed + 10_000_000, 12).pictures
    progress = run.Progress("autoencoder", first, args.steps)
    for step in range(first, args.steps):
        for group in optimiser.param_groups:
            group["lr"] = args.lr * run.cosine(step, args.steps)
        batch = crops.batch(args.batch_size, CROPS_PX[step % len(CROPS_PX)]).to(
            device, memory_format=torch.channels_last
        )
        raw = encode_latents(vae, batch)
        with torch.no_grad():
            normalise.train()(raw)
        latents = normalise.eval()(raw)
        # Noise makes neighbouring latents decode alike: the denoiser's small errors stay small.
        noisy = latents + torch.randn_like(latents) * 0.08
        loss = picture_loss(vae.decode(noisy).sample, batch)
        colour = colour_loss(latents, batch)
        # Only small crops are many enough for a covariance that says anything.
        white = whiteness_loss(latents) if len(batch) > 4 else loss.new_zeros(())
        optimiser.zero_grad(set_to_none=True)
        (loss + 0.3 * colour + 0.05 * white).backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        average.update(vae)
        progress.step(args.batch_size, loss=loss.item(), colour=colour.item(), white=white.item())
        if (step + 1) % args.sheet_every == 0 or step + 1 == args.steps:
            run.save(
                "autoencoder",
                {
                    "model": vae.state_dict(),
                    "average": average.module.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "normalise": normalise.state_dict(),
                    "step": step + 1,
                },
            )
            folded = fold(average.module, crops)
            sample_sheet(folded, held_out, "autoencoder.png")


if __name__ == "__main__":
    main()
