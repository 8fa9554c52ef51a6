"""The denoiser before any training gives back what it was given; how its errors are counted."""

from types import SimpleNamespace

import pytest
import torch

from training.doodle.model import LATENT_CHANNELS, LATENT_PX, NUM_TOKENS, TEXT_WIDTH, build_unet
from training.doodle.progress_sheet import errors


def test_an_untrained_denoiser_gives_the_noised_sketch_back() -> None:
    torch.manual_seed(3)
    unet = build_unet().eval()
    x = torch.randn(2, LATENT_CHANNELS, LATENT_PX, LATENT_PX)
    context = torch.randn(2, NUM_TOKENS, TEXT_WIDTH)
    with torch.no_grad():
        for timestep in (10, 600, 999):
            given = unet(x, timestep, context).sample
            assert (given - x).square().mean() < 0.02


def test_errors_are_nothing_for_the_wanted_latents_and_one_for_white_paper() -> None:
    torch.manual_seed(4)
    wanted = torch.randn(4, LATENT_CHANNELS, LATENT_PX, LATENT_PX)
    blank = torch.zeros(1, LATENT_CHANNELS, LATENT_PX, LATENT_PX)
    pairs = {
        "canonical": torch.tensor([True, True, False, False]),
        "sketch": torch.randn_like(wanted),
        "target": wanted,
        "ids": torch.zeros(4, NUM_TOKENS),
    }

    def encoder(input_ids: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=torch.zeros(*input_ids.shape, TEXT_WIDTH))

    def knows(x: torch.Tensor, timesteps: torch.Tensor, context: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=wanted[:2] if timesteps[0] == 999 else wanted[2:])

    def paper(x: torch.Tensor, timesteps: torch.Tensor, context: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=blank.expand_as(x))

    assert errors(knows, encoder, pairs, blank) == {"text": 0, "sketch": 0}
    assert errors(paper, encoder, pairs, blank) == pytest.approx({"text": 1, "sketch": 1})
