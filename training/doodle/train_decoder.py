"""Stage 4: the decoder learns to paint what the denoiser predicts, sharply.

The encoder and the denoiser stay as they are. Half of each batch is true latents with noise, half
is predictions of the frozen denoiser, but for empty sheets, which are true. A patch critic
keeps it from painting the mean of what latents may stand for.
"""

import argparse
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from training.doodle import backgrounds, run
from training.doodle.artists import load_artists
from training.doodle.backgrounds import SIZE_PX
from training.doodle.critic import Critic, Judged, Opponent
from training.doodle.data import load_concepts
from training.doodle.likely import load_likely_names
from training.doodle.lookup import sharpen
from training.doodle.losses import picture_loss
from training.doodle.model import build_scheduler, build_unet, sigmas
from training.doodle.muon import optimisers
from training.doodle.noise import noised, sample_timesteps
from training.doodle.pool import encode, freeze_autoencoder, sample_pairs
from training.doodle.train_autoencoder import to_tensor
from training.doodle.train_unet import load_text_encoder
from training.doodle.vague import load_vague_words
from turbo_ui.backends.compute import keep_memory

_SHOWN = 8  # pictures on a sheet that tells how far it is
_OUTER = ("conv_in", "conv_out")
_RIM_PX = 16  # as far as a cell that lacks neighbours reaches
_RIM_WEIGHT = 2.0
_EVENTFUL = 0.1  # of −1 to 1: gradients of a sky stay below it
_SHEETS_SHARE = 0.5
"""Beside fresh pairs; at half of it, and half the rim's weight, 480 steps took no strip of the left
edge away."""


class Batches:
    """Latents as the decoder will meet them, with the pictures they should become."""

    def __init__(self, seed: int, vae, unet, num_fresh: int = 12):
        self.rng = np.random.default_rng(seed)
        self.vae, self.unet, self.num_fresh = vae, unet, num_fresh
        self.concepts = load_concepts()
        self.device = next(unet.parameters()).device
        self.tokenizer, encoder = load_text_encoder()
        load_likely_names(self.concepts, self.tokenizer)
        self.vague = load_vague_words(self.concepts, self.tokenizer)
        load_artists(self.concepts)
        self.encoder = encoder.to(self.device)
        self.level = sigmas(build_scheduler()).to(self.device)
        self.store: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    @torch.no_grad()
    def refill(self, limit: int = 768) -> None:
        """Add predicted latents of fresh pairs, and true ones of sheets; the oldest leave."""
        pairs = sample_pairs(self.rng, self.concepts, self.num_fresh, self.vague)
        sketches, pictures, captions, canonical, _ = zip(*pairs, strict=True)
        under, true = (
            encode(self.vae, list(sketches)).float(),
            encode(self.vae, list(pictures)).float(),
        )
        flags = torch.tensor(canonical)
        timesteps = sample_timesteps(flags).to(self.device)
        flags = flags.to(self.device)
        ids = self.tokenizer(
            list(captions), padding="max_length", truncation=True, return_tensors="pt"
        )
        context = self.encoder(input_ids=ids["input_ids"].to(self.device)).last_hidden_state
        x = noised(under, flags, timesteps, self.level[timesteps])
        predicted = self.unet(x, timesteps, context).sample
        for row, picture in enumerate(pictures):
            self.store.append((predicted[row], true[row], torch.from_numpy(picture)))
        empty = [sheet(self.rng) for _ in range(round(self.num_fresh * _SHEETS_SHARE))]
        for latents, picture in zip(encode(self.vae, empty).float(), empty, strict=True):
            self.store.append((latents, latents, torch.from_numpy(picture)))
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


def sheet(rng: np.random.Generator) -> np.ndarray:
    """A background with nothing on it, `(256, 256, 3) uint8`: any colour, or a painted one.

    Of pairs few have coloured paper, and none a colour of its own: at the left edge of pink and
    purple the first 8 columns lay 4 to 16 of 255 off.
    """
    if rng.random() < 0.5:
        colour = rng.integers(0, 256, 3)
        return np.broadcast_to(colour.astype(np.uint8), (SIZE_PX, SIZE_PX, 3)).copy()
    background = backgrounds.BACKGROUNDS[rng.integers(len(backgrounds.BACKGROUNDS))]
    background = backgrounds.drawn_at(rng, background)
    return backgrounds.paint_background(background).round().clip(0, 255).astype(np.uint8)


def rim_loss(painted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of the outermost `_RIM_PX` pixels.

    Without it the outermost two lay 15 to 35 of 255 beside their paper, a grey frame around all;
    counting those two alone left a faint line on the third.
    """
    error = (painted - target).abs()
    sides = (error[..., :_RIM_PX, :], error[..., -_RIM_PX:, :])
    ends = (error[..., :_RIM_PX], error[..., -_RIM_PX:])
    return torch.stack([part.mean() for part in (*sides, *ends)]).mean()


class Trainer:
    """The decoder's step; with a critic, also the critic's."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.first = args, 0
        self.device = run.device()
        vae = freeze_autoencoder().to(self.device, memory_format=torch.channels_last)
        unet = load_unet().to(self.device)
        self.decoder = vae.decoder.requires_grad_(True)
        critic = Critic(6, widths=(32, 64, 128), strides=(2, 2, 2), bf16=args.bf16)
        self.opponent = Opponent(critic.to(self.device), args.adversarial)
        self.average = run.Average(self.decoder, 0.998)
        self.optimisers = optimisers(self.decoder.named_parameters(), args.lr, _OUTER)
        if state := run.load("decoder"):
            self._resume(state)
        # What was seen before a stop is not repeated.
        self.batches = Batches(args.seed + self.first, vae, unet)
        for _ in range(8):
            self.batches.refill()

    def _resume(self, state: dict) -> None:
        run.fill(self.decoder, state["model"], "decoder")
        self.average.module.load_state_dict(state["average"])
        for optimiser, known in zip(self.optimisers, state.get("optimisers", []), strict=False):
            optimiser.load_state_dict(known)
        if "opponent" in state:
            self.opponent.load_state_dict(state["opponent"])
        self.average.num_updates = self.first = state["step"]

    def step(self, step: int) -> dict[str, float]:
        if step % 8 == 0:
            self.batches.refill()
        for group in [group for each in self.optimisers for group in each.param_groups]:
            group["lr"] = self.args.lr * run.cosine(step, self.args.steps, warm_up=50)
        latents, target = self._batch(self.args.batch_size)
        with run.fast(self.device, self.args.bf16):
            painted = self.decoder(latents)
        painted = painted.float()
        losses = {"picture": picture_loss(painted, target), "rim": rim_loss(painted, target)}
        loss = losses["picture"] + _RIM_WEIGHT * losses["rim"]
        judged = None
        if self.args.adversarial:
            judged = Judged(painted, target, coarse(target), eventful(target))
            loss = loss + self.opponent.objection(loss, judged)
        self.decoder.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.average.update(self.decoder)
        if judged is not None:
            losses["critic"] = self.opponent.learn(judged)
        return {name: value.item() for name, value in losses.items()}

    def _batch(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        latents, target = self.batches.batch(size)
        return latents.to(self.device), target.to(self.device)

    def save(self, step: int) -> None:
        state = {
            "model": self.decoder.state_dict(),
            "average": self.average.module.state_dict(),
            "opponent": self.opponent.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": step,
        }
        run.save("decoder", state)
        self._show(f"decoder-{step:06d}.png")

    @torch.no_grad()
    def _show(self, name: str) -> None:
        """Pictures from latents as they are trained on, over what they should be."""
        latents, target = self._batch(_SHOWN)
        both = torch.stack([self.average.module(latents).clamp(-1, 1), target])
        grid = both.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)
        array = ((grid + 1) * 127.5).byte().cpu().numpy()
        cv2.imwrite(str(run.RUN_DIR / name), cv2.cvtColor(array, cv2.COLOR_RGB2BGR))


def load_unet() -> Any:
    """The denoiser as it is painted with: averaged, sure of where it looks, frozen."""
    state = run.load("unet")
    if state is None:
        raise SystemExit("train the denoiser first: python -m training.doodle.train_unet")
    unet = build_unet()
    run.fill(unet, state["average"], "unet")
    sharpen(unet)
    return unet.eval().requires_grad_(False)


def coarse(picture: torch.Tensor) -> torch.Tensor:
    """What the critic knows that the picture should show: means of 16×16 pixels, as large."""
    return F.interpolate(F.avg_pool2d(picture, 16), scale_factor=16)


def eventful(picture: torch.Tensor) -> torch.Tensor:
    """Where something happens, `(N, 1, H, W)` of 0 and 1: what differs from the picture's mean
    within 16 pixels, and around it."""
    around = F.avg_pool2d(picture, 17, 1, 8, count_include_pad=False)
    step = (picture - around).abs().amax(dim=1, keepdim=True)
    return F.max_pool2d((step > _EVENTFUL).float(), 17, 1, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--lr", type=float, default=4e-4)
    parser.add_argument(
        "--adversarial", type=float, default=0.25, help="weight of the critic, 0 is off"
    )
    parser.add_argument(
        "--bf16",
        action="store_true",
        help="compute in bf16, weights stay fp32: 1.2 times as fast where a CPU has avx512_bf16",
    )
    parser.add_argument("--seed", type=int, default=41)
    args = parser.parse_args()
    keep_memory()
    cv2.setNumThreads(1)
    torch.manual_seed(args.seed)
    trainer = Trainer(args)
    progress = run.Progress("decoder", trainer.first, args.steps)
    for step in range(trainer.first, args.steps):
        progress.step(args.batch_size, **trainer.step(step))
        if (step + 1) % 250 == 0 or step + 1 == args.steps:
            trainer.save(step + 1)


if __name__ == "__main__":
    main()
