"""Denoising by Stable Diffusion 3's transformer: requests on their way, and one step of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from turbo_ui.backends.compute import DTYPE_NAMES
from turbo_ui.backends.flow import predicted_clean
from turbo_ui.backends.overflow import is_finite, overflow
from turbo_ui.backends.sd3_conditioning import TextEmbeds
from turbo_ui.frames import FrameRequest


@dataclass
class Job:
    """One request on its way.

    Attributes:
        first: the place in the schedule at which it joins.
        x: its latents `(1, C, h, w)`, noised as that place wants them.
        without: the empty prompt's embeddings, for guidance.
    """

    request: FrameRequest
    index: int
    num_steps: int
    first: int
    x: torch.Tensor
    embeds: TextEmbeds
    without: TextEmbeds | None
    generator: torch.Generator


class Denoiser:
    """The transformer and how it is called.

    Args:
        transformer: SD3Transformer2DModel.
        bring: called with a part's name before the part runs.
    """

    def __init__(self, transformer: Any, bring: Callable[[str], None]) -> None:
        self._transformer = transformer
        self._bring = bring

    def step(self, active: Sequence[Job], schedule: Any, place: int) -> torch.Tensor:
        """One Euler step of each job's x; the clean latents that they show now `(B, C, h, w)`.

        Raises:
            BackendFailure: the transformer's output is not finite.
        """
        x = torch.cat([job.x for job in active])
        t = schedule.timesteps[place]
        v = self._predict(active, x, t)
        if not is_finite(v):
            raise overflow("the transformer's output", DTYPE_NAMES[v.dtype])
        clean = predicted_clean(x, v, schedule.sigmas[place])
        generators = [job.generator for job in active]
        x = schedule.step(v, t, x, generator=generators, return_dict=False)[0]
        for job, each in zip(active, x.split(1), strict=True):
            job.x = each
        return clean

    def _predict(self, active: Sequence[Job], x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """The transformer's v; with guidance it runs without and with the prompt, in one batch."""
        self._bring("transformer")
        without = [job.without for job in active if job.without is not None]
        embeds = TextEmbeds.cat([*without, *(job.embeds for job in active)])
        x = torch.cat([x, x]) if without else x
        v = self._transformer(
            hidden_states=x,
            timestep=t.expand(x.shape[0]),
            encoder_hidden_states=embeds.prompt_embeds,
            pooled_projections=embeds.pooled,
            return_dict=False,
        )[0]
        if not without:
            return v
        plain, prompted = v.chunk(2)
        return plain + active[0].request.guidance_scale * (prompted - plain)
