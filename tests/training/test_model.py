"""The denoiser before any training: it gives back what it was given."""

import torch

from training.doodle.model import LATENT_CHANNELS, LATENT_PX, NUM_TOKENS, TEXT_WIDTH, build_unet


def test_an_untrained_denoiser_gives_the_noised_sketch_back() -> None:
    torch.manual_seed(3)
    unet = build_unet().eval()
    x = torch.randn(2, LATENT_CHANNELS, LATENT_PX, LATENT_PX)
    context = torch.randn(2, NUM_TOKENS, TEXT_WIDTH)
    with torch.no_grad():
        for timestep in (10, 600, 999):
            given = unet(x, timestep, context).sample
            assert (given - x).square().mean() < 0.02
