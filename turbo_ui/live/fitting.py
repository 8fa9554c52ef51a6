"""A request, rewritten for a model that it does not name."""

from __future__ import annotations

from dataclasses import replace

from turbo_ui.catalog import ModelSpec
from turbo_ui.frames import FrameRequest


def fitted(request: FrameRequest, spec: ModelSpec) -> FrameRequest:
    """The request as this model can run it: unchanged if it names the model, else rewritten.

    A model that stands in takes the prompt, the sketch, the strength and the seed; size and steps
    are its own.
    """
    if request.model == spec.id:
        return request
    width, height = spec.live_size
    return replace(
        request,
        model=spec.id,
        revision=None,
        num_inference_steps=spec.default_num_inference_steps,
        guidance_scale=0.0,
        width=width,
        height=height,
        vae=None,
        dtype=None,
    )
