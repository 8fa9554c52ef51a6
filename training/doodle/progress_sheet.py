"""How far the denoiser is on pairs that it is not trained on: a sheet to look at, and errors."""

from typing import Any

import cv2
import torch

from training.doodle import run
from training.doodle.model import build_scheduler, sigmas
from training.doodle.pool import freeze_autoencoder


@torch.no_grad()
def sample_sheet(unet: Any, encoder: Any, pool: dict, name: str, seed: int = 5) -> None:
    """Rows of sketch, picture at strengths 0.4, 0.6, 0.8, 1.0, wanted picture; then text alone."""
    vae = freeze_autoencoder()
    level = sigmas(build_scheduler())
    generator = torch.Generator().manual_seed(seed)
    rows = torch.cat(
        [torch.nonzero(~pool["canonical"])[:24:2, 0], torch.nonzero(pool["canonical"])[:6, 0]]
    )
    under, target = pool["sketch"][rows].float(), pool["target"][rows].float()
    context = encoder(input_ids=pool["ids"][rows].long()).last_hidden_state
    columns = [under]
    for t in (399, 599, 799, 999):
        noise = torch.randn(under.shape, generator=generator)
        x = (under + level[t] * noise) / (level[t] ** 2 + 1).sqrt()
        columns.append(unet(x, torch.full((len(rows),), t), context).sample)
    columns.append(target)
    pictures = [vae.decode(latents).sample.clamp(-1, 1) for latents in columns]
    strip = torch.cat([p[..., ::2, ::2] for p in pictures], dim=3)
    grid = torch.cat(
        [torch.cat(list(strip[: len(rows) // 2]), 1), torch.cat(list(strip[len(rows) // 2 :]), 1)],
        2,
    )
    array = ((grid.permute(1, 2, 0) + 1) * 127.5).byte().numpy()
    cv2.imwrite(str(run.RUN_DIR / name), cv2.cvtColor(array, cv2.COLOR_RGB2BGR))


@torch.no_grad()
def errors(unet: Any, encoder: Any, pairs: dict, blank: torch.Tensor, seed: int = 7) -> dict:
    """Mean squared error of text alone (strength 1.0) and beside a sketch (0.6), on given pairs.

    Each is a share of what the wanted latents differ from white paper: 1 is an empty sheet.
    """
    level = sigmas(build_scheduler())
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, is_text, t in (("text", True, 999), ("sketch", False, 599)):
        rows = torch.nonzero(pairs["canonical"] == is_text)[:128, 0]
        under, target = pairs["sketch"][rows].float(), pairs["target"][rows].float()
        context = encoder(input_ids=pairs["ids"][rows].long()).last_hidden_state
        noise = torch.randn(under.shape, generator=generator)
        x = (under + level[t] * noise) / (level[t] ** 2 + 1).sqrt()
        predicted = unet(x, torch.full((len(rows),), t), context).sample
        found[name] = (
            (predicted - target).square().mean() / (target - blank).square().mean()
        ).item()
    return found
