"""Flow matching: which steps of a schedule run, and one step's maths.

`x` are latents on the straight line from the picture to noise, x = (1 − σ)·x₀ + σ·noise, and the
model predicts the line's direction, v = noise − x₀.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import FrameRequest


def num_denoising_steps(request: FrameRequest, default: int) -> int:
    """How many steps really run; diffusers' rule for SD3: n − int(n − n × strength).

    Args:
        default: n where the request leaves `num_inference_steps` open.

    Raises:
        InvalidRequest: none would run, as a strength near 0 rounds to none.
    """
    steps = default if request.num_inference_steps is None else request.num_inference_steps
    if request.is_text_to_image:
        return steps
    running = steps - int(max(steps - min(steps * request.strength, steps), 0))
    if running < 1:
        raise InvalidRequest(
            "num_inference_steps",
            steps,
            f"a product with strength that does not vanish; {steps} × {request.strength:g} runs 0 "
            "steps: raise the strength",
        )
    return running


def noised(original: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """x at σ, in the latents' number type as diffusers computes it."""
    sigma = sigma.to(original.dtype)
    return sigma * noise + (1.0 - sigma) * original


def predicted_clean(x: torch.Tensor, v: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """x₀ as the model sees it from x at σ; in v's number type."""
    return (x.float() - sigma * v.float()).to(v.dtype)


class FlowSampler:
    """Reads the model's own scheduler and makes plans of it. The scheduler itself is never
    changed.

    Args:
        scheduler: FlowMatchEulerDiscreteScheduler.
        pixels_per_token: a side of the square of pixels that one token stands for.
    """

    def __init__(self, scheduler: Any, pixels_per_token: int) -> None:
        self.scheduler = scheduler
        self._pixels_per_token = pixels_per_token

    def schedule(self, steps: int, width: int, height: int, device: torch.device) -> Any:
        """A scheduler of its own, set to n steps for a picture of this size."""
        own = copy.deepcopy(self.scheduler)
        options: dict[str, float] = {}
        if own.config.get("use_dynamic_shifting"):
            side = self._pixels_per_token
            options["mu"] = dynamic_shift((width // side) * (height // side), own.config)
        own.set_timesteps(steps, device=device, **options)
        return own


def dynamic_shift(num_tokens: int, config: Any) -> float:
    """μ of a scheduler whose shift grows with the picture: a line through two given points."""
    low, high = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    low_shift, high_shift = config.get("base_shift", 0.5), config.get("max_shift", 1.16)
    slope = (high_shift - low_shift) / (high - low)
    return num_tokens * slope + (low_shift - slope * low)
