"""Puts a memory plan into practice: quantizes parts, and moves them on and off the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from turbo_ui.backends.memory import MemoryPlan, Offload

TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
DENOISING = ("transformer", "tiny_vae")
"""The tiny VAE shows every step: it stays where the transformer is, and is small."""


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
        plan: which of them take turns. They wait where they are now: in main memory.
        device: where they run.
    """

    def __init__(self, parts: dict[str, Any], plan: MemoryPlan, device: torch.device) -> None:
        self._device = device
        self._groups = neighbours(plan.offload)
        self._waiting = {
            name: Waiting(part)
            for name, part in parts.items()
            if isinstance(part, nn.Module) and plan.offload != "none"
        }
        self._here: frozenset[str] = frozenset()
        self.num_moves = 0
        if plan.offload == "none":
            for part in parts.values():
                if isinstance(part, nn.Module):
                    part.to(device)

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
                setattr(module, name, copies[id(tensor)])
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Lets go of the copies."""
        for module, name, tensor in self._kept:
            setattr(module, name, tensor)


def _copy(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    copy = tensor.detach().to(device)
    return nn.Parameter(copy, requires_grad=False) if isinstance(tensor, nn.Parameter) else copy
