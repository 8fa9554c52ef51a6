"""The models of the benchmarks are as large as the published ones. SD-Turbo is built and draws, and
so does SD3.5 Large Turbo where there is the memory; elsewhere it is built without numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from benchmarks import fullsize, rigs
from turbo_ui.backends import compute
from turbo_ui.backends.memory import MemoryPlan
from turbo_ui.backends.sd3_turbo import Sd3Turbo
from turbo_ui.backends.unet_turbo import UnetTurbo
from turbo_ui.catalog import SD_TURBO, STABLE_DIFFUSION_3_5_LARGE_TURBO
from turbo_ui.frames import FrameRequest
from turbo_ui.weights import Architecture


@pytest.mark.parametrize(("architecture", "name"), list(fullsize.NUM_PARAMETERS))
def test_parameters_are_as_many_as_published(architecture: Architecture, name: str) -> None:
    with torch.device("meta"):
        network = fullsize.network(architecture, name)
    counted = sum(weights.numel() for weights in network.parameters())
    assert counted == fullsize.NUM_PARAMETERS[architecture, name]


ENOUGH_BYTES = 40_000_000_000
"""Free, for SD3.5 Large Turbo: 27.6 GB in bf16, and room for others."""


def place_for_sd35() -> str:
    """The first device that has room for it; else "meta", whose tensors hold no numbers."""
    names = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
    free = {name: rigs.free_bytes(torch.device(name)) or 0 for name in names}
    return next((name for name in names if free[name] > ENOUGH_BYTES), "meta")


def networks_of(parts: dict[str, Any]) -> dict[str, torch.nn.Module]:
    return {name: part for name, part in parts.items() if isinstance(part, torch.nn.Module)}


def sizes_of(parts: dict[str, Any]) -> dict[str, int]:
    """How many parameters each network has."""
    networks = networks_of(parts).items()
    return {name: sum(each.numel() for each in network.parameters()) for name, network in networks}


def published(architecture: Architecture) -> dict[str, int]:
    names = fullsize.networks(architecture)
    return {name: fullsize.NUM_PARAMETERS[architecture, name] for name in names}


def test_sd_turbo_in_full_size_draws() -> None:
    chosen = compute.choose("cpu", "fp32")
    parts = fullsize.build("sd", chosen.device, chosen.dtype)
    assert sizes_of(parts) == published("sd")
    parts["vae"] = parts.pop("tiny_vae")
    spec = replace(SD_TURBO, min_size_px=64, default_size_px=64)
    backend = UnetTurbo(spec, parts, chosen, "tiny")
    [frame] = backend.generate([FrameRequest(model=spec.id, prompt="a cat", width=64, height=64)])
    assert frame.image.shape == (64, 64, 3)
    assert frame.image.std() > 0


@pytest.mark.parametrize("place", [place_for_sd35()])
def test_sd35_large_turbo_in_full_size_is_built(place: str) -> None:
    parts = fullsize.build("sd3", torch.device(place), torch.bfloat16)
    assert sizes_of(parts) == published("sd3")
    for network in networks_of(parts).values():
        kinds = {(each.device.type, each.dtype) for each in network.parameters()}
        assert kinds == {(place, torch.bfloat16)}
    if place != "meta":
        check_that_it_draws(parts, compute.choose(place, "bf16"))


def check_that_it_draws(parts: dict[str, Any], chosen: compute.Compute) -> None:
    """One step of a small picture, without T5, which takes a CPU long."""
    spec = replace(STABLE_DIFFUSION_3_5_LARGE_TURBO, min_size_px=64, default_size_px=64)
    backend = Sd3Turbo(spec, parts, chosen, "tiny", MemoryPlan(t5="dropped"))
    wanted = FrameRequest(model=spec.id, prompt="a cat", width=64, height=64, num_inference_steps=1)
    [frame] = backend.generate([wanted])
    assert frame.image.shape == (64, 64, 3)
    assert frame.image.std() > 0
