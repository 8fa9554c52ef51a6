"""Numbers that a type cannot hold: how they are seen and told, and networks that leave fp16 for a
wider type because of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from turbo_ui.backends.compute import DTYPE_NAMES, Compute
from turbo_ui.errors import BackendFailure

log = logging.getLogger(__name__)


class Network:
    """A network and the number type that it runs in: the model's, until that overflows.

    Args:
        title: for people: "UNet".
        module: in the number type of `compute`.
        compute: of the model.

    Attributes:
        dtype: in which it runs now; what goes in has to be in it, and what comes out is.
    """

    def __init__(self, title: str, module: Any, compute: Compute) -> None:
        self.title = title
        self.module: Any = module
        self.dtype = compute.dtype
        self._compute = compute

    @property
    def is_widened(self) -> bool:
        """It runs in another number type than the rest of the model, because of overflow."""
        return self.dtype != self._compute.dtype

    @property
    def words(self) -> str:
        """Its title, and its number type where that is another than the model's."""
        return f"{self.title} in {DTYPE_NAMES[self.dtype]}" if self.is_widened else self.title

    @property
    def can_widen(self) -> bool:
        """Whether a wider number type could help: not where it is in one already, nor where its
        weights are kept in fewer bits, which stay bound to the type that they were made from."""
        is_plain = (type(weights) is nn.Parameter for weights in self.module.parameters())
        return self.dtype == torch.float16 and all(is_plain)

    @torch.inference_mode(False)  # whose tensors are no parameters
    def widen(self) -> bool:
        """Puts it into a number type that does not overflow; False where that cannot be."""
        if not self.can_widen:
            return False
        wide = self._compute.wide_dtype
        try:
            nn.Module.to(self.module, wide)  # diffusers' own `to` only warns of it
        except BaseException:
            nn.Module.to(self.module, self.dtype)  # in two types it would fail in every later frame
            raise
        self.dtype = wide
        log.info("The %s overflows in fp16 and runs in %s.", self.title, DTYPE_NAMES[wide])
        return True

    def close(self) -> None:
        """Lets the module go; what it ran in can still be asked."""
        self.module = None


class LatentsOverflow(BackendFailure):
    """What a VAE was given to decode is not finite: whoever made it overflowed."""


def is_finite(*several: torch.Tensor) -> bool:
    """Whether all numbers are. On a GPU this waits, once for all: only where the picture is waited
    for anyway."""
    first, *others = (torch.isfinite(numbers).all() for numbers in several)
    for other in others:
        first = first & other
    return bool(first)


def overflow(
    what: str, dtype_name: str, kind: type[BackendFailure] = BackendFailure
) -> BackendFailure:
    """There is no picture: `what` is not finite in the number type that the model runs in."""
    wider = {"fp16": " Start with --dtype bf16, or fp32.", "bf16": " Start with --dtype fp32."}
    return kind(
        f"{what} holds numbers that are not finite; the model runs in {dtype_name}",
        f"The model's numbers overflowed in {dtype_name}, so there is no picture. The board is "
        f"kept.{wider.get(dtype_name, '')}",
    )


def widened_text(networks: Iterable[Network]) -> str:
    """Which of them were widened, to be put behind the model's number type; empty if none was."""
    widened = [each.words for each in networks if each.is_widened]
    return f", {', '.join(widened)}, as fp16 overflows" if widened else ""
