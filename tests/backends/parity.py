"""A request in diffusers' own pipelines, and how far one picture is from another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import (
    StableDiffusionImg2ImgPipeline,
)
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
    StableDiffusionXLImg2ImgPipeline,
)
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from PIL import Image

from turbo_ui.backends.sampling import num_denoising_steps, one_step_timestep
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import FrameRequest, Pixels

TOLERANCE = 2  # of 255


def drawing(seed: int = 0, width: int = 64, height: int = 64) -> Pixels:
    """Coarse blocks of colour, such as a sketch has."""
    blocks = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3))
    return np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)


def difference(ours: Pixels, expected: Pixels) -> int:
    """The largest, of 255."""
    assert ours.shape == expected.shape
    assert ours.dtype == np.uint8
    return int(np.abs(ours.astype(int) - expected.astype(int)).max())


class Reference:
    """diffusers' text-to-image and image-to-image pipelines on the same parts."""

    def __init__(self, text: Any, image: Any) -> None:
        self.text, self.image = text, image
        for pipeline in (text, image):
            pipeline.set_progress_bar_config(disable=True)

    @classmethod
    def of_sd(cls, folder: Path, **options: Any) -> Reference:
        text = StableDiffusionPipeline.from_pretrained(
            str(folder), **{"dtype": torch.float32, **options}
        )
        image = StableDiffusionImg2ImgPipeline(**text.components, requires_safety_checker=False)
        return cls(text, image)

    @classmethod
    def of_sdxl(cls, folder: Path, **options: Any) -> Reference:
        text = StableDiffusionXLPipeline.from_pretrained(
            str(folder), **{"dtype": torch.float32, "add_watermarker": False, **options}
        )
        image = StableDiffusionXLImg2ImgPipeline(**text.components, add_watermarker=False)
        return cls(text, image)

    def picture(self, wanted: FrameRequest) -> Pixels:
        own = self.text.scheduler
        if wanted.num_inference_steps is None:
            # the ancestral scheduler takes no timesteps; in a last step, to σ = 0, it adds no noise
            # and is plain Euler
            euler = EulerDiscreteScheduler.from_config(own.config)
            self.text.scheduler = self.image.scheduler = euler
        try:
            made = self._answer(wanted)
        finally:
            self.text.scheduler = self.image.scheduler = own
        return (made.images[0] * 255).round().astype(np.uint8)

    def _answer(self, wanted: FrameRequest) -> Any:
        steps = wanted.num_inference_steps
        common: dict[str, Any] = {
            "prompt": wanted.prompt,
            "guidance_scale": wanted.guidance_scale,
            "generator": torch.Generator().manual_seed(wanted.seed),
            "output_type": "np",
        }
        if wanted.sketch is None:
            plan = {"timesteps": [999]} if steps is None else {"num_inference_steps": steps}
            return self.text(**common, **plan, width=wanted.width, height=wanted.height)
        plan = {"num_inference_steps": steps, "strength": wanted.strength}
        if steps is None:
            # its own rule for steps stays at the default 50 and is not asked: one timestep is given
            plan = {"timesteps": [one_step_timestep(wanted.strength)], "strength": 1.0}
        return self.image(**common, **plan, image=Image.fromarray(wanted.sketch.pixels))

    def num_steps(self, num_inference_steps: int, strength: float) -> int:
        """How many image-to-image would run."""
        self.image.scheduler.set_timesteps(num_inference_steps)
        return len(self.image.get_timesteps(num_inference_steps, strength, "cpu")[0])


def check_step_counts(their: Reference, wanted: FrameRequest) -> None:
    """A request with a sketch runs as many steps as diffusers', at many numbers and strengths.

    Where that is none, the error names both.
    """
    for steps in (1, 2, 3, 4, 7, 10, 25, 50):
        for number in range(1, 21):
            asked = replace(wanted, num_inference_steps=steps, strength=number / 20)
            expected = their.num_steps(steps, number / 20)
            if expected:
                assert num_denoising_steps(asked) == expected, (steps, number / 20)
                continue
            with pytest.raises(InvalidRequest, match=f"{steps} × {number / 20:g} runs 0 steps"):
                num_denoising_steps(asked)
