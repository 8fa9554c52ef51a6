"""How much noise lies over a sketch in training."""

import torch

FIRST_TIMESTEP = 280
LAST_SKETCHED = 930  # beyond it the sketch is all but gone, and only text is asked to be painted
FREE_TIMESTEP = 970  # from here on any board may lie under text-to-image


def sample_timesteps(canonical: torch.Tensor) -> torch.Tensor:
    """Where sketches live for pairs with a sketch; high noise, often all of it, for text alone."""
    num = len(canonical)
    # Triangle-like density, most around 0.6 of the schedule.
    middle = (torch.rand(num) + torch.rand(num)) / 2
    sketched = FIRST_TIMESTEP + middle * (LAST_SKETCHED - FIRST_TIMESTEP)
    wide = FIRST_TIMESTEP + torch.rand(num) * (1000 - FIRST_TIMESTEP)
    text_only = torch.where(torch.rand(num) < 0.45, torch.full((num,), 999.0), wide)
    return torch.where(canonical, text_only, sketched).long().clamp(0, 999)


def noised(
    sketches: torch.Tensor, canonical: torch.Tensor, timesteps: torch.Tensor, sigma: torch.Tensor
) -> torch.Tensor:
    """Scaled network input `(N, 32, 16, 16)`: sketch latents plus σ noise, over √(σ² + 1).

    Near the end of the schedule text-to-image must not depend on what lies under the noise: other
    sheets' sketches and nothing at all (how diffusers starts text-to-image) take the blank board's
    place.
    """
    num = len(sketches)
    is_free = canonical & (timesteps >= FREE_TIMESTEP)
    draw = torch.rand(num, device=sketches.device)
    other = sketches[torch.randperm(num, device=sketches.device)]
    shape = (num, 1, 1, 1)
    under = torch.where((is_free & (draw < 0.3)).view(shape), other, sketches)
    under = torch.where((is_free & (draw > 0.6)).view(shape), torch.zeros_like(under), under)
    sigma = sigma.view(shape)
    return (under + sigma * torch.randn_like(under)) / (sigma**2 + 1).sqrt()
