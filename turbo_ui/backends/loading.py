"""From a name to a backend: finds the files, reads the parts, puts them on the device.

Weights are read from safetensors only: the older pickle files can run code when they are opened.

Several loads may be under way at once. What a load does before it reports "loading" is therefore to
download and to look at headers: to build networks, to keep the libraries quiet, and to import them
piece by piece change what all threads share, and come after it, when no other load does the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from turbo_ui import catalog, own_models
from turbo_ui.backends import compute, memory, placement, sources
from turbo_ui.backends import quantization as bits
from turbo_ui.backends.base import Backend, LoadReport, silent
from turbo_ui.backends.holding import PartCounts
from turbo_ui.backends.parts import OPTIONAL, READ_ERRORS, reading
from turbo_ui.backends.sd3_turbo import Sd3Turbo, dtype_name_for
from turbo_ui.backends.unet_turbo import UnetTurbo
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable
from turbo_ui.remote_settings import RemoteSettings


def load(model: str, device: str | None = None) -> Backend:
    """Loads a model and warms nothing up.

    Args:
        model: an id of the catalog, a hub id (`owner/name`, `owner/name@revision`), a diffusers
            folder, or a single file.
        device: "cpu", "cuda", "cuda:1", "mps"; None chooses.

    Raises:
        InvalidRequest: no such model, or no such device.
        ModelUnavailable: it is known but cannot be had; says why and what to do.
    """
    spec = own_models.spec_for(model)
    return load_spec(spec, silent, device=device)


def load_spec(
    spec: ModelSpec,
    report: LoadReport,
    *,
    device: str | None = None,
    dtype: str | None = None,
    vae: str | None = None,
    max_batch: int | None = None,
    text_encoders: Sequence[str] = (),
    max_device_memory_bytes: int | None = None,
    quantization: memory.Quantization = "auto",
    remote_settings: RemoteSettings | None = None,
) -> Backend:
    """Loads what a spec names, telling `report` on the way; a `Switchboard`'s `load`.

    Args:
        device, dtype: as for `compute.choose`.
        vae: "full" or None for the model's own, "tiny" for its small stand-in; where that cannot
            be had, the model's own is taken and `device_text` says so.
        max_batch: the most frames of one call; None is what the device is good at, which also
            bounds it.
        text_encoders: files and folders with the text encoders of a single file without them.
        max_device_memory_bytes: the most that all models together may take: how small one is made
            that can be made smaller.
        quantization: of a Stable Diffusion 3's transformer; "auto" is the best that fits.
        remote_settings: of the model `remote`.

    Raises:
        InvalidRequest: an unknown device or number type, text encoders of a user that is unknown,
            or a quantization that cannot be had here.
        ModelUnavailable: says why and what to do.
        OutOfMemory: the device or main memory did not suffice.
    """
    if spec.family == "remote":
        # not needed by those who draw here
        from turbo_ui.backends.remote import Remote

        return Remote(spec, remote_settings or RemoteSettings())
    spec = sources.identified(spec, report)
    chosen = _compute(spec, device, dtype)
    if spec.family == "sd3_turbo":
        named = [catalog.expanded("text_encoders", name) for name in text_encoders]
        spec, path, tiny, plan = _sd3_plan(
            spec, chosen, report, named, max_device_memory_bytes, quantization
        )
        with reading(spec, "weights"):
            return _sd3_turbo(spec, path, chosen, vae, report, named, tiny, plan)
    path = sources.locate(spec, report)
    spec = own_models.weighed(spec, path)
    tiny = _TinyVae.fetched(spec, report) if vae == "tiny" else None
    report("loading", f"Reading {spec.title} for {chosen.text}.", spec=spec)
    with reading(spec, "weights"):
        return _unet_turbo(spec, path, chosen, tiny, max_batch)


def _frozen(parts: dict[str, Any]) -> dict[str, Any]:
    """The parts, their networks ready to draw and never to be trained."""
    for part in parts.values():
        if hasattr(part, "requires_grad_"):
            part.eval().requires_grad_(False)
    return parts


def _compute(spec: ModelSpec, device: str | None, dtype: str | None) -> compute.Compute:
    chosen = compute.choose(device, dtype)
    if spec.family == "sd3_turbo" and dtype in (None, "auto"):
        return compute.choose(device, dtype_name_for(chosen.device))
    return chosen


def _unet_turbo(
    spec: ModelSpec,
    path: Path,
    chosen: compute.Compute,
    tiny: _TinyVae | None,
    max_batch: int | None,
) -> Backend:
    parts = _frozen(sources.read(spec, path, chosen.dtype))
    vae_name = "full"
    if tiny is not None:
        network, why_not = tiny.read(parts["vae"], chosen)
        if network is None:
            chosen = replace(chosen, text=f"{chosen.text}; full VAE, as {why_not}")
        else:
            parts["vae"], vae_name = network, "tiny"
    for name, part in parts.items():
        if hasattr(part, "requires_grad_"):
            parts[name] = part.to(chosen.device)
    for name in ("unet", "vae"):
        parts[name] = parts[name].to(memory_format=chosen.memory_format)
    batch = chosen.max_batch if max_batch is None else min(max_batch, chosen.max_batch)
    return UnetTurbo(spec, parts, chosen, vae_name, batch)


def _sd3_plan(
    spec: ModelSpec,
    chosen: compute.Compute,
    report: LoadReport,
    encoders: Sequence[Path],
    max_bytes: int | None,
    quantization: memory.Quantization,
) -> tuple[ModelSpec, Path, _TinyVae, memory.MemoryPlan]:
    """The model, where its files are and its tiny VAE's, and what goes to the device when. The plan
    is made before they are read, so that nothing is read in vain."""
    bits.check(quantization, chosen)
    if spec.source == catalog.STABLE_DIFFUSION_3_5_LARGE_TURBO.source:
        # its sizes are known before anything is downloaded
        placement.check(spec.id, PartCounts(), chosen, max_bytes, quantization)
    path = sources.locate(spec, report)
    counts = _part_counts(spec, path, encoders)
    needs_bytes = placement.check(spec.id, counts, chosen, max_bytes, quantization)
    spec = own_models.weighed(spec, path)
    tiny = _TinyVae.fetched(spec, report)
    text = f"Reading {spec.title} for {chosen.text}."
    report("loading", text, needs_bytes=needs_bytes, spec=spec)
    return spec, path, tiny, placement.fit(spec.id, counts, chosen, max_bytes, quantization)


def _part_counts(spec: ModelSpec, path: Path, encoders: Sequence[Path]) -> PartCounts:
    """Told from headers; without `reading`, which keeps the libraries quiet for all threads."""
    try:
        return PartCounts.of(sources.num_parameters(spec, path, encoders))
    except READ_ERRORS as error:
        reason = f"its weights cannot be loaded ({type(error).__name__}: {str(error)[:300]})"
        raise ModelUnavailable(spec.id, reason, "Get the model again.") from error


def _sd3_turbo(
    spec: ModelSpec,
    path: Path,
    chosen: compute.Compute,
    vae: str | None,
    report: LoadReport,
    encoders: Sequence[Path],
    tiny: _TinyVae,
    plan: memory.MemoryPlan,
) -> Backend:
    """The parts stay in main memory: what goes to the device when, the plan says."""
    skip = OPTIONAL if plan.t5 == "dropped" else ()
    read = sources.read(spec, path, chosen.dtype, text_encoders=encoders, skip=skip)
    parts = _frozen(read)
    vae_name = "full"
    network, why_not = tiny.read(parts["vae"], chosen)
    if network is None:
        what = "full VAE" if vae == "tiny" else "previews by the full VAE"
        chosen = replace(chosen, text=f"{chosen.text}; {what}, as {why_not}")
    else:
        parts["tiny_vae"] = network
        vae_name = "tiny" if vae == "tiny" else "full"
    words = "; ".join(word for word in (chosen.text, plan.text) if word)
    report("loading", f"Putting {spec.title} on {words}.")
    return Sd3Turbo(spec, parts, chosen, vae_name, plan)


class _TinyVae(NamedTuple):
    """The small stand-in of a model's VAE, fetched and not read.

    Attributes:
        spec: the model.
        folder: where it is; None where it cannot be had.
        why_not: why that is so; else empty.
    """

    spec: ModelSpec
    folder: Path | None
    why_not: str = ""

    @classmethod
    def fetched(cls, spec: ModelSpec, report: LoadReport) -> _TinyVae:
        """Has it on the disk. Before the model's weights are read: nobody else's load need wait
        for a download."""
        try:
            return cls(spec, sources.locate_tiny_vae(spec, report))
        except ModelUnavailable as error:
            return cls(spec, None, error.reason)

    def read(self, full: Any, chosen: compute.Compute) -> tuple[Any, str]:
        """The stand-in of the VAE `full`; or None, and why it cannot be had."""
        if self.folder is None:
            return None, self.why_not
        try:
            tiny = sources.read_tiny_vae(self.spec, self.folder, chosen.dtype)
        except ModelUnavailable as error:
            return None, error.reason
        wanted, found = int(full.config.latent_channels), int(tiny.config.latent_channels)
        if wanted != found:
            return None, f"the tiny VAE has {found} latent channels and the model {wanted}"
        return tiny.eval().requires_grad_(False), ""
