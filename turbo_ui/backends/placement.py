"""Puts a memory plan into practice: quantizes parts, and moves them on and off the device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psutil
import torch
from torch import nn

from turbo_ui.backends import memory
from turbo_ui.backends import quantization as bits
from turbo_ui.backends.compute import Compute
from turbo_ui.backends.holding import Offload, PartCounts
from turbo_ui.backends.memory import MemoryPlan, Quantization, Room

TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
VAES = ("vae", "tiny_vae")
DENOISING = ("transformer", "tiny_vae")
"""The tiny VAE shows every step: it stays where the transformer is, and is small."""


def fit(
    model: str,
    counts: PartCounts,
    compute: Compute,
    max_bytes: int | None = None,
    quantization: Quantization = "auto",
) -> MemoryPlan:
    """The best plan for parts of these sizes on this device, as it is now.

    Args:
        model: its id, for the error.
        counts: of the parts, none of which need be loaded.
        max_bytes: the most device memory that all models together may take; None is
            `memory.DEVICE_SHARE` of it.
        quantization: what the user asks for; `quantization.check` says whether that can be had.

    Raises:
        ModelUnavailable: no plan fits; says how much is missing.
    """
    return memory.choose(model, counts, room(compute, max_bytes, quantization))


def check(
    model: str,
    counts: PartCounts,
    compute: Compute,
    max_bytes: int | None = None,
    quantization: Quantization = "auto",
) -> tuple[int, ...]:
    """To be asked before anything is put away or downloaded for a model: could it be placed if it
    had the whole device and main memory?

    Args:
        model, counts, compute, max_bytes, quantization: as for `fit`.

    Returns:
        `memory.needs_bytes` of the device.

    Raises:
        ModelUnavailable: no plan fits even then; says how much it needs.
    """
    here = room(compute, max_bytes, quantization)
    at_best = replace(
        here,
        free_bytes=here.total_bytes,
        host_free_bytes=psutil.virtual_memory().total,
        taken_bytes=0,
    )
    memory.choose(model, counts, at_best)
    return memory.needs_bytes(counts, at_best)


def room(
    compute: Compute, max_bytes: int | None = None, quantization: Quantization = "auto"
) -> Room:
    """What the device and main memory have free, and what may be done to fit into it."""
    device = compute.device
    host = psutil.virtual_memory()
    free, total, taken = host.available, host.total, 0
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        taken = torch.cuda.memory_allocated(device)
        # what torch keeps for itself and does not use now is free, too
        free += torch.cuda.memory_reserved(device) - taken
    return Room(
        kind="cuda" if device.type == "cuda" else "mps" if device.type == "mps" else "cpu",
        free_bytes=free,
        total_bytes=total,
        host_free_bytes=host.available,
        itemsize=compute.dtype.itemsize,
        keeps_wide=compute.dtype == torch.float16,
        can_quantize=bits.is_available(),
        eight_bits=bits.eight_bits(compute.dtype),
        quantization=quantization,
        max_bytes=max_bytes,
        taken_bytes=taken,
    )


def neighbours(offload: Offload) -> tuple[frozenset[str], ...]:
    """Which parts may be on the device at the same time."""
    if offload == "none":
        return (frozenset({*TEXT_ENCODERS, *DENOISING, "vae"}),)
    each = tuple(frozenset({name}) for name in TEXT_ENCODERS)
    if offload == "text_encoders":
        return (*each, frozenset({*DENOISING, "vae"}))
    return (*each, frozenset(DENOISING), frozenset({"vae"}))


class Placement:
    """The parts of one model and where they are.

    Args:
        parts: by name; what is not a network (tokenizers, a scheduler) is left alone.
        plan: what is quantized, and which of them take turns. They wait in main memory.
        compute: where they run, and in which memory format.
    """

    def __init__(self, parts: dict[str, Any], plan: MemoryPlan, compute: Compute) -> None:
        self._device = compute.device
        self._groups = neighbours(plan.offload)
        self._here: frozenset[str] = frozenset()
        self.num_moves = 0
        networks: dict[str, Any] = {
            name: part for name, part in parts.items() if isinstance(part, nn.Module)
        }
        home = compute.device if plan.offload == "none" else torch.device("cpu")
        if plan.transformer != "full" and "transformer" in networks:
            bits.quantize(networks["transformer"], plan.transformer, home)
        if plan.t5 not in ("full", "dropped") and "text_encoder_3" in networks:
            bits.quantize(networks["text_encoder_3"], plan.t5, home)
        for name, network in networks.items():
            network.to(home)
            if name in VAES:
                network.to(memory_format=compute.memory_format)
        self._waiting = {
            name: Waiting(network) for name, network in networks.items() if plan.offload != "none"
        }

    def bring(self, name: str) -> None:
        """Makes sure that this part is on the device, and none that may not be there beside it."""
        if name not in self._waiting or name in self._here:
            return
        wanted = next(group for group in self._groups if name in group)
        for other in self._here - wanted:
            self._waiting[other].leave()
        self._here = self._here & wanted
        for other in sorted(wanted & self._waiting.keys() - self._here):
            self._waiting[other].enter(self._device)
            self._here |= {other}
            self.num_moves += 1


class Waiting:
    """A network whose numbers wait in main memory and visit a device.

    What waits is kept while a copy visits, so that leaving copies nothing back.
    """

    def __init__(self, network: nn.Module) -> None:
        self._kept: list[tuple[nn.Module, str, torch.Tensor]] = [
            (module, name, tensor)
            for module in network.modules()
            for tensors in (
                module.named_parameters(recurse=False, remove_duplicate=False),
                module.named_buffers(recurse=False, remove_duplicate=False),
            )
            for name, tensor in tensors
        ]

    def enter(self, device: torch.device) -> None:
        """Copies the numbers to the device; where that fails, none of them stay there."""
        copies: dict[int, torch.Tensor] = {}  # a tensor that two modules share stays one
        try:
            for module, name, tensor in self._kept:
                if id(tensor) not in copies:
                    copies[id(tensor)] = _copy(tensor, device)
                _put(module, name, copies[id(tensor)])
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Lets go of the copies.

        A part that changed its number type while it was there, as a VAE that overflows does, keeps
        the new one.
        """
        for place, (module, name, tensor) in enumerate(self._kept):
            copy = getattr(module, name)
            if copy.dtype != tensor.dtype:
                tensor = _copy(copy, tensor.device)
                self._kept[place] = (module, name, tensor)
            _put(module, name, tensor)


def _put(module: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Not by `setattr`: while another thread makes a network without weights, that puts each
    parameter of any network on the device "meta"."""
    tensors: dict[str, Any] = vars(module)[
        "_parameters" if isinstance(tensor, nn.Parameter) else "_buffers"
    ]
    tensors[name] = tensor


@torch.inference_mode(False)  # a frame asks for it in that mode, whose tensors are no parameters
def _copy(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    copy = tensor.detach().to(device)
    return nn.Parameter(copy, requires_grad=False) if isinstance(tensor, nn.Parameter) else copy
