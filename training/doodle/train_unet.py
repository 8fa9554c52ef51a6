"""Stage 3: the denoiser, one step from a noised sketch to the clean picture, on pooled latents."""

import argparse
import copy
import os
from typing import Any

import torch
import torch.distributed
import torch.multiprocessing
import torch.nn.functional as F
from transformers import CLIPTokenizer

from training.doodle import run
from training.doodle.lookup import Lookup, Places
from training.doodle.model import (
    build_scheduler,
    build_text_encoder,
    build_unet,
    encode_latents,
    sigmas,
)
from training.doodle.muon import optimisers
from training.doodle.noise import noised, sample_timesteps
from training.doodle.pool import freeze_autoencoder, load_held_out, load_pool
from training.doodle.progress_sheet import errors, sample_sheet
from training.doodle.whitening import folded, whiten, whitening_of
from training.doodle.words import TOKENIZER_DIR
from turbo_ui.backends.compute import keep_memory

_BEND = 1.0
"""Small errors on paper must not weigh as much as large ones on things, as in an absolute error."""
_WHITENED_CAPTIONS = 256
_OUTER = ("conv_in", "conv_out", "add_embedding")
_MOST_WORKERS = 8  # of a batch of 64: each has 8 pairs
_LOOKUP_WEIGHT = 0.15
"""Beside a loss of some 0.1: the cross entropy of where to look begins at 4 nats."""


def load_text_encoder() -> tuple[CLIPTokenizer, Any]:
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER_DIR)
    encoder = build_text_encoder(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    state = run.load("text")
    if state is None:
        raise SystemExit("train the text encoder first: python -m training.doodle.train_text")
    run.fill(encoder, state["model"], "text")
    return tokenizer, encoder.eval().requires_grad_(False)


def latent_loss(predicted: torch.Tensor, target: torch.Tensor, blank: torch.Tensor) -> torch.Tensor:
    """Squared error up to `_BEND`, straight from there on; what is not white paper counts more.

    Each picture counts as much as any other: of small things, too, of which all but a few cells
    are paper.

    Args:
        predicted, target: latents `(N, 32, 16, 16)`.
        blank: those of white paper, `(1, 32, 16, 16)`. The rim of a picture has latents of its
            own, so only a comparison cell by cell finds paper.
    """
    error = F.huber_loss(predicted, target, reduction="none", delta=_BEND)
    distance = (target - blank).square().mean(dim=1, keepdim=True).sqrt()
    weight = 0.25 + (distance / 0.6).clamp(max=1.75)
    return ((error * weight).mean(dim=(1, 2, 3)) / weight.mean(dim=(1, 2, 3))).mean()


@torch.no_grad()
def blank_latents() -> torch.Tensor:
    """White paper, `(1, 32, 16, 16)`."""
    return encode_latents(freeze_autoencoder(), torch.ones(1, 3, 256, 256))


@torch.no_grad()
def text_whitening(encoder: Any) -> torch.Tensor:
    """Of what the encoder says of captions in the pool."""
    ids = load_held_out()["ids"][:_WHITENED_CAPTIONS].long()
    return whitening_of(encoder(input_ids=ids).last_hidden_state.flatten(0, 1))


def mixed(canonical: torch.Tensor, text_share: float) -> torch.Tensor:
    """A round through the pool in random order: all sketches, and some pairs of text alone.

    Args:
        canonical: which pairs are text alone, `(N,) bool`.
        text_share: of the round, below 1; less where the pool has no more.
    """
    sketched, text = torch.nonzero(~canonical)[:, 0], torch.nonzero(canonical)[:, 0]
    num_text = int(len(sketched) * text_share / (1 - text_share))
    rows = torch.cat([sketched, text[torch.randperm(len(text))[:num_text]]])
    return rows[torch.randperm(len(rows))]


class Trainer:
    """One worker: its batches and the step; the first also keeps checkpoints and sheets."""

    def __init__(self, rank: int, args: argparse.Namespace):
        self.rank, self.args, self.device = rank, args, run.device()
        _, encoder = load_text_encoder()
        self.matrix = text_whitening(encoder).to(self.device)
        self.encoder = encoder.to(self.device)
        self.unet = build_unet().to(self.device, memory_format=torch.channels_last)
        self.average = run.Average(self.unet, 0.995)
        state = run.load("unet")
        if state is not None:
            run.fill(self.unet, state["model"], "unet")
            self.average.module.load_state_dict(state["average"])
        for network in (self.unet, self.average.module):
            whiten(network, self.matrix)
        self.average.module.requires_grad_(False)
        self.lookup = Lookup(self.unet)
        self.optimisers = optimisers(self.unet.named_parameters(), args.lr, _OUTER)
        self.level = sigmas(build_scheduler()).to(self.device)
        self.blank = blank_latents().to(self.device)
        self.first = 0
        if state is not None:
            for optimiser, known in zip(self.optimisers, state.get("optimisers", []), strict=False):
                optimiser.load_state_dict(known)
            self.average.num_updates = self.first = state["step"]
        torch.manual_seed(args.seed + self.first + 1_000_003 * rank)
        self.pool: dict[str, torch.Tensor] = {}
        self.order = torch.empty(0, dtype=torch.long)

    def batch(self) -> torch.Tensor:
        """Indices of the next batch; each round through the pool takes in the newest shards."""
        size = self.args.batch_size // self.args.workers
        if len(self.order) < size:
            self.pool = load_pool(self.args.pool_shards)
            self.order = mixed(self.pool["canonical"], self.args.text_share)
            # Each worker has its own dice: a share of the pool keeps rounds equally long.
            self.order = self.order[: len(self.order) // self.args.workers]
        picked, self.order = self.order[:size], self.order[size:]
        return picked

    def step(self, step: int) -> dict[str, float]:
        picked, pool, device = self.batch(), self.pool, self.device
        warm_up = min(200, self.args.steps // 20)
        rate = self.args.lr * run.cosine(step, self.args.steps, warm_up, self.args.floor)
        for group in [group for one in self.optimisers for group in one.param_groups]:
            group["lr"] = rate
        under = pool["sketch"][picked].float().to(device)
        target = pool["target"][picked].float().to(device)
        canonical = pool["canonical"][picked].to(device)
        timesteps = sample_timesteps(canonical.cpu()).to(device)
        with torch.no_grad(), run.fast(self.device, self.args.bf16):
            context = self.encoder(input_ids=pool["ids"][picked].long().to(device))[0].float()
        x = noised(under, canonical, timesteps, self.level[timesteps])
        x = x.contiguous(memory_format=torch.channels_last)
        # Of text alone no one is told where things stand: to be shown would tell.
        forced = forced_share(step, self.args) * ~canonical
        places = Places(pool["layout"][picked].to(device), forced)
        self.lookup.show(places)
        with run.fast(self.device, self.args.bf16):
            predicted = self.unet(x, timesteps, context).sample
        loss = latent_loss(predicted.float(), target, self.blank)
        lookup = self.lookup.loss()
        self.unet.zero_grad(set_to_none=True)
        (loss + _LOOKUP_WEIGHT * lookup).backward()
        if self.args.workers > 1:
            average_gradients(self.unet)
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        if self.rank == 0:
            self.average.update(self.unet)
        return {"loss": loss.item(), "lookup": lookup.item()}

    def save(self, step: int, held_out: dict[str, torch.Tensor]) -> None:
        state = {
            "model": folded(self.unet, self.matrix),
            "average": folded(self.average.module, self.matrix),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": step,
        }
        run.save("unet", state)
        unet, encoder = (copy.deepcopy(m).cpu() for m in (self.average.module, self.encoder))
        sample_sheet(unet, encoder, held_out, f"unet-{step:06d}.png")
        found = errors(unet, encoder, held_out, self.blank.cpu())
        print("\nheld out:", " ".join(f"{name} {share:.4f}" for name, share in found.items()))


def forced_share(step: int, args: argparse.Namespace) -> float:
    """Of how many sketches lookups are set right: on a straight line from `forced` to its end."""
    return args.forced + step / args.steps * (args.forced_end - args.forced)


def average_gradients(module: torch.nn.Module) -> None:
    """Mean of all workers' gradients, in one message."""
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def work(rank: int, args: argparse.Namespace) -> None:
    keep_memory()
    if args.workers > 1:
        torch.set_num_threads(1)
        torch.distributed.init_process_group(
            "gloo",
            init_method=f"file://{run.RUN_DIR / 'workers'}",
            rank=rank,
            world_size=args.workers,
        )
    trainer = Trainer(rank, args)
    held_out = load_held_out()
    progress = run.Progress("unet", trainer.first, args.steps) if rank == 0 else None
    for step in range(trainer.first, args.steps):
        losses = trainer.step(step)
        if progress:
            progress.step(args.batch_size, **losses)
            if (step + 1) % args.sheet_every == 0 or step + 1 == args.steps:
                trainer.save(step + 1, held_out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=6e-4)
    parser.add_argument("--floor", type=float, default=0.05, help="last rate, as a share of --lr")
    parser.add_argument(
        "--bf16",
        action="store_true",
        help="compute in bf16, weights stay fp32: 1.5 times as fast where a CPU has avx512_bf16",
    )
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument(
        "--pool-shards", type=int, default=200, help="at most so many of the newest shards"
    )
    parser.add_argument(
        "--text-share", type=float, default=0.15, help="of pairs without a sketch, 0 to 0.9"
    )
    parser.add_argument(
        "--forced",
        type=float,
        default=0.6,
        help="share of sketches whose lookups are set right, at first; then on to --forced-end",
    )
    parser.add_argument(
        "--forced-end",
        type=float,
        default=0.6,
        help="that share at --steps; at 0 the denoiser is on its own there, but less sure than it "
        "will be",
    )
    parser.add_argument("--sheet-every", type=int, default=500)
    parser.add_argument(
        "--workers",
        type=int,
        default=1 if torch.cuda.is_available() else min(os.cpu_count() or 1, _MOST_WORKERS),
        help="processes of one thread each: on a CPU two of them outrun one of two threads",
    )
    return parser


def main() -> None:
    parser = _parser()
    args = parser.parse_args()
    for name, most in (("text_share", 0.9), ("forced", 1.0), ("forced_end", 1.0)):
        if not 0 <= getattr(args, name) <= most:
            parser.error(
                f"--{name.replace('_', '-')} is {getattr(args, name)}; allowed: 0 to {most}"
            )
    if not 1 <= args.workers <= args.batch_size:
        parser.error(f"--workers is {args.workers}; allowed: 1 to --batch-size {args.batch_size}")
    (run.RUN_DIR / "workers").unlink(missing_ok=True)
    if args.workers == 1:
        work(0, args)
    else:
        torch.multiprocessing.spawn(work, (args,), nprocs=args.workers)


if __name__ == "__main__":
    main()
