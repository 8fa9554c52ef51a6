"""Stage 4: the decoder learns to paint what the denoiser predicts, sharply.

The encoder and the denoiser stay as they are. Half of each batch is true latents with noise, half
is predictions of the frozen denoiser; a patch critic in feature-matching form can be switched on
with `--adversarial`.
"""

import argparse
import itertools

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from training.doodle import run
from training.doodle.data import load_concepts
from training.doodle.losses import picture_loss
from training.doodle.model import build_scheduler, build_unet, sigmas
from training.doodle.noise import noised, sample_timesteps
from training.doodle.pool import encode, freeze_autoencoder, sample_pairs
from training.doodle.train_autoencoder import to_tensor
from training.doodle.train_unet import load_text_encoder
from turbo_ui.backends.compute import keep_memory

_RIM_PX = 6


class Critic(nn.Module):
    """A small patch critic on pictures and what they should show (pix2pix, Isola et al. 2017)."""

    def __init__(self, width: int = 32):
        super().__init__()
        sizes = [6, width, width * 2, width * 4]
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.utils.parametrizations.spectral_norm(nn.Conv2d(a, b, 4, 2, 1)), nn.LeakyReLU(0.2)
            )
            for a, b in itertools.pairwise(sizes)
        )
        self.score = nn.Conv2d(sizes[-1], 1, 3, padding=1)

    def forward(self, picture: torch.Tensor, guide: torch.Tensor) -> tuple[torch.Tensor, list]:
        x, features = torch.cat([picture, guide], dim=1), []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return self.score(x), features


class Batches:
    """Latents as the decoder will meet them, with the pictures they should become."""

    def __init__(self, seed: int, vae, unet, num_fresh: int = 12):
        self.rng = np.random.default_rng(seed)
        self.vae, self.unet, self.num_fresh = vae, unet, num_fresh
        self.concepts = load_concepts()
        self.tokenizer, self.encoder = load_text_encoder()
        self.level = sigmas(build_scheduler())
        self.store: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    @torch.no_grad()
    def refill(self, limit: int = 768) -> None:
        """Add predicted latents of fresh pairs; the oldest leave."""
        pairs = sample_pairs(self.rng, self.concepts, self.num_fresh)
        sketches, pictures, captions, canonical, _ = zip(*pairs, strict=True)
        under, true = (
            encode(self.vae, list(sketches)).float(),
            encode(self.vae, list(pictures)).float(),
        )
        flags = torch.tensor(canonical)
        timesteps = sample_timesteps(flags)
        ids = self.tokenizer(
            list(captions), padding="max_length", truncation=True, return_tensors="pt"
        )
        context = self.encoder(input_ids=ids["input_ids"]).last_hidden_state
        x = noised(under, flags, timesteps, self.level[timesteps])
        predicted = self.unet(x, timesteps, context).sample
        for row, picture in enumerate(pictures):
            self.store.append((predicted[row], true[row], torch.from_numpy(picture)))
        self.store = self.store[-limit:]

    def batch(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents `(size, 32, 16, 16)` and their pictures `(size, 3, 256, 256)`.

        Whole ones and no crops: a picture's rim is where the decoder lacks neighbours.
        """
        latents, pictures = [], []
        for i in range(size):
            predicted, true, picture = self.store[self.rng.integers(len(self.store))]
            latents.append(predicted if i % 2 else true + torch.randn_like(true) * 0.1)
            pictures.append(picture.numpy())
        return torch.stack(latents), to_tensor(pictures)


def rim_loss(painted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of the outermost `_RIM_PX` pixels.

    Without it the outermost two lay 15 to 35 of 255 beside their paper, a grey frame around all;
    counting those two alone left a faint line on the third.
    """
    error = (painted - target).abs()
    sides = (error[..., :_RIM_PX, :], error[..., -_RIM_PX:, :])
    ends = (error[..., :_RIM_PX], error[..., -_RIM_PX:])
    return torch.stack([part.mean() for part in (*sides, *ends)]).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--lr", type=float, default=4e-4)
    parser.add_argument(
        "--adversarial", type=float, default=0.0, help="weight of the critic, 0 is off"
    )
    parser.add_argument("--seed", type=int, default=41)
    args = parser.parse_args()
    keep_memory()
    cv2.setNumThreads(1)
    torch.manual_seed(args.seed)
    vae = freeze_autoencoder().to(memory_format=torch.channels_last)
    unet_state = run.load("unet")
    if unet_state is None:
        raise SystemExit("train the denoiser first: python -m training.doodle.train_unet")
    unet = build_unet()
    unet.load_state_dict(unet_state["average"])
    unet.eval().requires_grad_(False)
    batches = Batches(args.seed, vae, unet)
    decoder = vae.decoder.requires_grad_(True)
    critic = Critic()
    average = run.Average(decoder, 0.998)
    first = 0
    if state := run.load("decoder"):
        decoder.load_state_dict(state["model"])
        critic.load_state_dict(state.get("critic", {}), strict=False)
        average.module.load_state_dict(state["average"])
        average.num_updates = first = state["step"]
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=args.lr, betas=(0.9, 0.98))
    critic_optimiser = torch.optim.AdamW(critic.parameters(), lr=2e-4, betas=(0.5, 0.9))
    progress = run.Progress("decoder", first, args.steps)
    for _ in range(8):
        batches.refill()
    for step in range(first, args.steps):
        if step % 8 == 0:
            batches.refill()
        for group in optimiser.param_groups:
            group["lr"] = args.lr * run.cosine(step, args.steps, warm_up=50)
        latents, target = batches.batch(args.batch_size)
        painted = decoder(latents)
        losses = {"picture": picture_loss(painted, target), "rim": rim_loss(painted, target)}
        loss = losses["picture"] + losses["rim"]
        if args.adversarial:
            guide = F.interpolate(F.avg_pool2d(target, 16), scale_factor=16)
            fake, fake_features = critic(painted, guide)
            with torch.no_grad():
                _, real_features = critic(target, guide)
            matching = sum(
                F.l1_loss(a, b) for a, b in zip(fake_features, real_features, strict=True)
            )
            loss = loss + args.adversarial * (matching - 0.1 * fake.mean())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        average.update(decoder)
        if args.adversarial:
            real, _ = critic(target, guide)
            fake, _ = critic(painted.detach(), guide)
            judged = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
            critic_optimiser.zero_grad(set_to_none=True)
            judged.backward()
            critic_optimiser.step()
            losses["critic"] = judged
        progress.step(args.batch_size, **{key: value.item() for key, value in losses.items()})
        if (step + 1) % 250 == 0 or step + 1 == args.steps:
            run.save(
                "decoder",
                {
                    "model": decoder.state_dict(),
                    "average": average.module.state_dict(),
                    "critic": critic.state_dict(),
                    "step": step + 1,
                },
            )


if __name__ == "__main__":
    main()
