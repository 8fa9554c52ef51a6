"""What the engine benchmark runs: each model with the ways to run it, one way after the other."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import turbo_ui
from benchmarks import fullsize
from benchmarks.ways import DIFFUSERS, DIFFUSERS_TINY, OURS, OURS_TINY, Diffusers, Ours, Way
from turbo_ui.backends import compute
from turbo_ui.backends.compute import Compute
from turbo_ui.backends.parts import read_folder
from turbo_ui.catalog import (
    DOODLE,
    SD_TURBO,
    SDXL_TURBO,
    STABLE_DIFFUSION_3_5_LARGE_TURBO,
    ModelSpec,
)
from turbo_ui.weights import Architecture

Build = Callable[..., dict[str, Any]]

WORK_BYTES = {"cpu": 3_000_000_000, "cuda": 6_000_000_000, "mps": 4_000_000_000}
"""What frames of up to 1024×1024 take beside the weights, generously."""


@dataclass(frozen=True)
class Rig:
    """One model as it is measured.

    Attributes:
        architecture: of the random weights; None runs the embedded model's own.
        num_inference_steps, strength: of each request; one step for SD-Turbo's kind, as its model
            card calls it, four for Stable Diffusion 3.5.
        sizes_px: on a CPU and on a GPU; empty where it is not run there.
    """

    spec: ModelSpec
    architecture: Architecture | None
    num_inference_steps: int
    strength: float
    cpu_sizes_px: tuple[int, ...]
    gpu_sizes_px: tuple[int, ...]

    def sizes_px(self, device: torch.device) -> tuple[int, ...]:
        return self.cpu_sizes_px if device.type == "cpu" else self.gpu_sizes_px

    @property
    def num_ways(self) -> int:
        return 2 if self.architecture is None else 4


RIGS = (
    Rig(DOODLE, None, 2, 0.5, (256,), (256,)),
    Rig(SD_TURBO, "sd", 2, 0.5, (256, 512), (512, 768, 1024)),
    Rig(SDXL_TURBO, "sdxl", 2, 0.5, (), (512, 768, 1024)),
    Rig(STABLE_DIFFUSION_3_5_LARGE_TURBO, "sd3", 4, 1.0, (), (512, 768, 1024)),
)


def compute_of(rig: Rig, device: str | None) -> Compute:
    """Device and number type as the app would choose them for this model."""
    chosen = compute.choose(device)
    if rig.architecture != "sd3":
        return chosen
    from turbo_ui.backends.sd3_turbo import dtype_name_for

    return compute.choose(str(chosen.device), dtype_name_for(chosen.device))


def needed_bytes(rig: Rig, chosen: Compute, without: tuple[str, ...] = ()) -> int:
    """About what it takes on its device."""
    if rig.architecture is None:
        return rig.spec.memory_bytes
    weights = fullsize.num_parameters(rig.architecture, without) * chosen.dtype.itemsize
    return weights + WORK_BYTES[chosen.device.type]


def what_fits(rig: Rig, chosen: Compute, free_bytes: int | None) -> tuple[tuple[str, ...], str]:
    """The networks that have to be left out to fit, and in words what that means; an empty text
    means that all fits.

    Raises:
        MemoryError: it does not fit at all; says what it needs.
    """
    if free_bytes is None or needed_bytes(rig, chosen) <= free_bytes:
        return (), ""
    without_t5 = ("text_encoder_3",)
    if rig.architecture == "sd3" and needed_bytes(rig, chosen, without_t5) <= free_bytes:
        return without_t5, "without T5, for which the memory does not suffice"
    needed = needed_bytes(rig, chosen, without_t5)
    raise MemoryError(f"needs {needed / 1e9:.1f} GB of memory, {free_bytes / 1e9:.1f} GB are free")


def free_bytes(device: torch.device) -> int | None:
    """What is free on the device; None where nothing tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "cpu":
        try:
            with open("/proc/meminfo", encoding="ascii") as lines:
                found = dict(line.split(":", 1) for line in lines)
            return int(found["MemAvailable"].split()[0]) * 1024
        except (OSError, KeyError, ValueError):
            return None
    return None


def ways(
    rig: Rig, chosen: Compute, without: tuple[str, ...] = (), build: Build = fullsize.build
) -> Iterator[Way]:
    """Each way to run the model; the one before is closed when the next is asked for.

    diffusers goes first: ours puts the shared weights into another memory format.
    """
    made = _embedded(chosen) if rig.architecture is None else _random(rig, chosen, without, build)
    for way in made:
        yield way
        way.close()
        _tidy(chosen.device)
    _tidy(chosen.device)


def _tidy(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _embedded(chosen: Compute) -> Iterator[Way]:
    device = chosen.device
    parts = read_folder(DOODLE, Path(DOODLE.source), chosen.dtype)
    parts = {name: _placed(part, device) for name, part in parts.items()}
    yield Diffusers(DIFFUSERS, pipeline("sd", parts), parts, device)
    yield Ours(OURS, turbo_ui.load(DOODLE.id, str(device)))


def _random(rig: Rig, chosen: Compute, without: tuple[str, ...], build: Build) -> Iterator[Way]:
    assert rig.architecture is not None
    device = chosen.device
    parts = build(rig.architecture, device, chosen.dtype, without=without)
    tiny_vae = parts.pop("tiny_vae")
    for name, vae in ((DIFFUSERS, parts["vae"]), (DIFFUSERS_TINY, tiny_vae)):
        own = {**parts, "vae": vae}
        yield Diffusers(name, pipeline(rig.architecture, own), own, device)
    for part in (parts.get("unet"), parts["vae"], tiny_vae):
        if part is not None:
            part.to(memory_format=chosen.memory_format)  # as loading does
    for name, is_tiny in ((OURS, False), (OURS_TINY, True)):
        yield Ours(name, backend(rig, parts, tiny_vae, chosen, is_tiny))


def pipeline(architecture: Architecture, parts: dict[str, Any]) -> Any:
    """diffusers' own image-to-image pipeline of these parts."""
    import diffusers

    if architecture == "sd":
        nothing: Any = None
        return diffusers.StableDiffusionImg2ImgPipeline(
            **parts,
            safety_checker=nothing,
            feature_extractor=nothing,
            requires_safety_checker=False,
        )
    if architecture == "sdxl":
        return diffusers.StableDiffusionXLImg2ImgPipeline(**parts, add_watermarker=False)
    absent: dict[str, Any] = {"text_encoder_3": None, "tokenizer_3": None}
    return diffusers.StableDiffusion3Img2ImgPipeline(**{**absent, **parts})


def backend(rig: Rig, parts: dict[str, Any], tiny_vae: Any, chosen: Compute, is_tiny: bool) -> Any:
    """Ours on the same parts."""
    vae_name = "tiny" if is_tiny else "full"
    if rig.architecture == "sd3":
        from turbo_ui.backends.sd3_turbo import Sd3Turbo

        return Sd3Turbo(rig.spec, {**parts, "tiny_vae": tiny_vae}, chosen, vae_name)
    from turbo_ui.backends.unet_turbo import UnetTurbo

    vae = tiny_vae if is_tiny else parts["vae"]
    return UnetTurbo(rig.spec, {**parts, "vae": vae}, chosen, vae_name)


def smaller(rig: Rig, size_px: int) -> Rig:
    """The same at one small size everywhere: a trial."""
    sizes = {"cpu_sizes_px": (), "gpu_sizes_px": (size_px,)}
    if rig.cpu_sizes_px:
        sizes["cpu_sizes_px"] = (min(rig.cpu_sizes_px),)
    if rig.architecture is None:
        sizes["gpu_sizes_px"] = rig.gpu_sizes_px
    return replace(rig, **sizes)


def _placed(part: Any, device: torch.device) -> Any:
    return part.to(device).eval() if isinstance(part, torch.nn.Module) else part
