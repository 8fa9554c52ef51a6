"""The models of the benchmarks are as large as the published ones; SD-Turbo is built and draws."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks import fullsize
from turbo_ui.backends import compute
from turbo_ui.backends.unet_turbo import UnetTurbo
from turbo_ui.catalog import SD_TURBO
from turbo_ui.frames import FrameRequest
from turbo_ui.weights import Architecture


@pytest.mark.parametrize(("architecture", "name"), list(fullsize.NUM_PARAMETERS))
def test_parameters_are_as_many_as_published(architecture: Architecture, name: str) -> None:
    with torch.device("meta"):
        network = fullsize.network(architecture, name)
    counted = sum(weights.numel() for weights in network.parameters())
    assert counted == fullsize.NUM_PARAMETERS[architecture, name]


def test_sd_turbo_in_full_size_draws() -> None:
    chosen = compute.choose("cpu", "fp32")
    parts = fullsize.build("sd", chosen.device, chosen.dtype)
    sizes = {name: sum(weights.numel() for weights in parts[name].parameters()) for name in parts
             if isinstance(parts[name], torch.nn.Module)}  # fmt: skip
    assert sizes == {name: fullsize.NUM_PARAMETERS["sd", name] for name in sizes}
    parts["vae"] = parts.pop("tiny_vae")
    spec = replace(SD_TURBO, min_size_px=64, default_size_px=64)
    backend = UnetTurbo(spec, parts, chosen, "tiny")
    [frame] = backend.generate([FrameRequest(model=spec.id, prompt="a cat", width=64, height=64)])
    assert frame.image.shape == (64, 64, 3)
    assert frame.image.std() > 0
