"""Ways to make the same frame with the same weights: diffusers' pipelines as they are, and ours."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from PIL import Image

from turbo_ui.backends.base import Backend
from turbo_ui.backends.compute import StageClock
from turbo_ui.frames import FrameRequest

STAGES = ("text_encode", "vae_encode", "denoise", "vae_decode")

DIFFUSERS, DIFFUSERS_TINY = "diffusers", "diffusers, tiny VAE"
OURS, OURS_TINY = "Turbo UI", "Turbo UI, tiny VAE"
BASELINES = {OURS: DIFFUSERS, OURS_TINY: DIFFUSERS_TINY}
"""What each of our ways is compared with: the pipeline that runs the same networks."""


class Way(Protocol):
    """One way to make frames, one after the other."""

    @property
    def name(self) -> str:
        """Of the ones above."""
        ...

    def frame(self, request: FrameRequest) -> dict[str, float]:
        """Makes a frame, waits for it, and gives the ms of each of `STAGES`."""
        ...

    def close(self) -> None:
        """Lets its memory go, but for the parts that it was given."""
        ...


class Ours:
    """A backend of this project."""

    def __init__(self, name: str, backend: Backend) -> None:
        self.name = name
        self._backend: Backend | None = backend

    def frame(self, request: FrameRequest) -> dict[str, float]:
        assert self._backend is not None
        (made,) = self._backend.generate([request])
        found = made.timings.to_json()
        return {stage: found[f"{stage}_ms"] for stage in STAGES}

    def close(self) -> None:
        self._backend = None  # not its own close, which would take the shared parts along


class Diffusers:
    """An image-to-image pipeline as anybody would call it, with its parts' work timed.

    Args:
        parts: the pipeline's, under its names.
        device: where they are.
    """

    def __init__(self, name: str, pipeline: Any, parts: dict[str, Any], device: torch.device):
        self.name = name
        self._pipeline: Any = pipeline
        self._device = device
        self._parts = parts
        pipeline.set_progress_bar_config(disable=True)
        # SD's and SDXL's take the sketch's size; SD3's would take 1024×1024 where it is not told
        self._is_told_size = "height" in inspect.signature(pipeline.__call__).parameters

    def frame(self, request: FrameRequest) -> dict[str, float]:
        assert request.sketch is not None
        size = {"width": request.width, "height": request.height}
        clock = StageClock(self._device)
        with timed(self._parts, clock):
            made = self._pipeline(
                prompt=request.prompt,
                image=Image.fromarray(request.sketch.pixels),
                strength=request.strength,
                num_inference_steps=request.num_inference_steps,
                guidance_scale=request.guidance_scale,
                generator=torch.Generator().manual_seed(request.seed),
                **(size if self._is_told_size else {}),
            )
        assert made.images[0].size == (request.width, request.height)
        found = clock.ms()
        return {stage: found.get(stage, 0.0) for stage in STAGES}

    def close(self) -> None:
        self._pipeline = None
        self._parts = {}


@contextmanager
def timed(parts: dict[str, Any], clock: StageClock) -> Iterator[None]:
    """Inside, the clock times what the parts do, stage by stage; after, they are as before."""
    taps = [
        (parts[name], method, stage)
        for name, method, stage in (
            ("text_encoder", "forward", "text_encode"),
            ("text_encoder_2", "forward", "text_encode"),
            ("text_encoder_3", "forward", "text_encode"),
            ("vae", "encode", "vae_encode"),
            ("unet", "forward", "denoise"),
            ("transformer", "forward", "denoise"),
            ("vae", "decode", "vae_decode"),
        )
        if parts.get(name) is not None
    ]
    for part, method, stage in taps:
        setattr(part, method, _timed_call(getattr(part, method), clock, stage))
    try:
        yield
    finally:
        for part, method, _ in taps:
            delattr(part, method)  # the class's own stands behind it


def _timed_call(call: Any, clock: StageClock, stage: str) -> Any:
    def timed_call(*args: Any, **kwargs: Any) -> Any:
        with clock.stage(stage):
            return call(*args, **kwargs)

    return timed_call
