"""What every training stage shares: checkpoints, averages of weights, a progress bar with rates."""

import copy
import math
import time
from pathlib import Path

import torch
from tqdm import tqdm

from training.doodle.data import ROOT

RUN_DIR = ROOT / ".cache" / "doodle-run"


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fast(where: torch.device, is_bf16: bool) -> torch.autocast:
    """A context that computes in bf16, weights and sums staying fp32; or that changes nothing."""
    return torch.autocast(where.type, torch.bfloat16, enabled=is_bf16)


class Average:
    """Exponential moving average of weights, with a warm-up so that early weights fade."""

    def __init__(self, module: torch.nn.Module, decay: float = 0.999):
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay
        self.num_updates = 0

    @torch.no_grad()
    def update(self, module: torch.nn.Module) -> None:
        self.num_updates += 1
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        for mine, theirs in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(theirs, 1 - decay)


def save(name: str, state: dict) -> None:
    """Write a checkpoint so that a stop at any moment leaves the old or the new one whole."""
    RUN_DIR.mkdir(parents=True, exist_ok=True)
    part = RUN_DIR / f"{name}.part"
    torch.save(state, part)
    part.replace(RUN_DIR / f"{name}.pt")


def load(name: str) -> dict | None:
    path: Path = RUN_DIR / f"{name}.pt"
    return torch.load(path, map_location="cpu", weights_only=False) if path.exists() else None


def fill(module: torch.nn.Module, weights: dict[str, torch.Tensor], name: str) -> None:
    """Put a checkpoint's weights into a network.

    Args:
        module: what is filled.
        weights: by parameter.
        name: of the checkpoint they are from.

    Raises:
        SystemExit: they are of a network of another shape.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise SystemExit(
            f"{RUN_DIR / name}.pt is of another shape than the model has now; move it away: "
            "`make train-doodle ARGS=--from-shipped` makes one of the shipped weights\n"
            f"{str(error).splitlines()[1].strip()}"
        ) from error


class Progress:
    """A progress bar with a smoothed loss and samples per second."""

    def __init__(self, title: str, done: int, total: int):
        if done >= total:
            print(f"{title}: {done} steps are done already; --steps {total} adds none")
        self.bar = tqdm(total=total, initial=done, desc=title, mininterval=15, smoothing=0.05)
        self.started_at, self.num_samples, self.smooth = time.monotonic(), 0, {}

    def step(self, num_samples: int, **losses: float) -> None:
        self.num_samples += num_samples
        for key, value in losses.items():
            self.smooth[key] = self.smooth.get(key, value) * 0.98 + value * 0.02
        rate = self.num_samples / (time.monotonic() - self.started_at)
        text = " ".join(f"{key} {value:.4f}" for key, value in self.smooth.items())
        self.bar.set_postfix_str(f"{text} {rate:.1f} samples/s", refresh=False)
        self.bar.update(1)


def cosine(step: int, total: int, warm_up: int = 200, floor: float = 0.05) -> float:
    """Learning-rate factor: linear warm-up, then a cosine down to `floor`."""
    if step < warm_up:
        return (step + 1) / warm_up
    phase = min((step - warm_up) / max(total - warm_up, 1), 1.0)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * phase))
