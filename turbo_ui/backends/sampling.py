"""Strength, steps and the Euler samplers of the SD family: which timesteps run, and one step's
maths.

`x` are latents at noise level σ ("variance exploding": x = x₀ + σ·noise), as diffusers' Euler
schedulers hold them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import FrameRequest

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


def one_step_timestep(strength: float, num_train_timesteps: int = 1000) -> int:
    """The timestep that a strength in (0, 1] names: t = round(1000 × strength) − 1, at least 0."""
    return max(0, round(num_train_timesteps * strength) - 1)


def num_denoising_steps(request: FrameRequest) -> int:
    """How many steps really run; diffusers' rule for the SD family.

    Raises:
        InvalidRequest: none would run.
    """
    steps = request.num_inference_steps
    if steps is None:
        return 1
    if request.is_text_to_image:
        return steps
    running = min(int(steps * request.strength), steps)
    if running < 1:
        raise InvalidRequest(
            "num_inference_steps",
            steps,
            f"num_inference_steps × strength of at least 1; {steps} × {request.strength:g} runs 0 "
            "steps: raise one of the two",
        )
    return running


def predicted_original(
    x: torch.Tensor, output: torch.Tensor, sigma: torch.Tensor, prediction_type: str
) -> torch.Tensor:
    """x₀ as the model sees it, from its output at noise level σ."""
    if prediction_type == "epsilon":
        return x - sigma * output
    if prediction_type == "v_prediction":
        scale = sigma**2 + 1
        return x / scale - output * (sigma / scale**0.5)
    assert prediction_type == "sample", prediction_type
    return output


@dataclass(frozen=True)
class OneStep:
    """Exactly one step, each request of the batch at its own timestep.

    Attributes:
        timesteps: `(B,) float32`.
        sigmas: `(B, 1, 1, 1) float32`, the noise level at each.
        noise_scales: `(B, 1, 1, 1) float32`, what unit noise is multiplied with.
        prediction_type: of the model.
    """

    timesteps: torch.Tensor
    sigmas: torch.Tensor
    noise_scales: torch.Tensor
    prediction_type: str

    def add_noise(self, originals: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return originals + self.noise_scales.to(noise.dtype) * noise

    def model_input(self, x: torch.Tensor) -> torch.Tensor:
        return x / ((self.sigmas**2 + 1) ** 0.5).to(x.dtype)

    def predict(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """x₀: at the last step Euler's update lands exactly there."""
        return predicted_original(x.float(), output.float(), self.sigmas, self.prediction_type).to(
            output.dtype
        )


class Sampler:
    """Reads the model's own scheduler and makes plans of it. The scheduler itself is never
    changed."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        alphas = scheduler.alphas_cumprod
        self._sigmas = (((1 - alphas) / alphas) ** 0.5).to(torch.float32)
        self.prediction_type = str(scheduler.config.prediction_type)
        self.num_train_timesteps = int(scheduler.config.num_train_timesteps)
        self._starts_at_unit_variance = scheduler.config.timestep_spacing == "leading"

    def one_step(self, requests: Sequence[FrameRequest], device: torch.device) -> OneStep:
        """Text-to-image starts at the last timestep, image-to-image where the strength says."""
        places = [
            one_step_timestep(
                1.0 if request.is_text_to_image else request.strength, self.num_train_timesteps
            )
            for request in requests
        ]
        sigmas = self._sigmas[places]
        # pure noise of a scheduler with "leading" spacing is a bit larger than σ; see
        # init_noise_sigma
        is_pure = torch.tensor([request.is_text_to_image for request in requests])
        starts = (sigmas**2 + 1) ** 0.5 if self._starts_at_unit_variance else sigmas
        scales = torch.where(is_pure, starts, sigmas)
        column = (-1, 1, 1, 1)
        return OneStep(
            timesteps=torch.tensor(places, dtype=torch.float32).to(device),
            sigmas=sigmas.reshape(column).to(device),
            noise_scales=scales.reshape(column).to(device),
            prediction_type=self.prediction_type,
        )

    def many_steps(self, request: FrameRequest, device: torch.device) -> tuple[Any, torch.Tensor]:
        """A scheduler of its own, set to the request's steps, and the timesteps that run."""
        steps = request.num_inference_steps
        assert steps is not None
        scheduler = copy.deepcopy(self.scheduler)
        scheduler.set_timesteps(steps, device=device)
        first = steps - num_denoising_steps(request)
        scheduler.set_begin_index(first)
        return scheduler, scheduler.timesteps[first:]
