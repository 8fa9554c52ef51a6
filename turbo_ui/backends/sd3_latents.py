"""Stable Diffusion 3's latents: 16 channels, shifted before they are scaled; and how a step's
picture is shown without a tiny VAE."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from turbo_ui.backends.compute import Compute
from turbo_ui.backends.latents import Encoded, VaeLatents
from turbo_ui.frames import FrameRequest


class ShiftedLatents(VaeLatents):
    """A VAE whose latents are (what it encodes − `shift_factor`) × `scaling_factor`."""

    def __init__(self, vae: Any, compute: Compute, title: str = "VAE") -> None:
        super().__init__(vae, compute, title=title)
        shift = float(vae.config.get("shift_factor") or 0.0)
        self._offset = shift * float(vae.config.scaling_factor)

    def draw(
        self, request: FrameRequest, encoded: Encoded | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        original, noise = super().draw(request, encoded, generator)
        return (original if encoded is None else original - self._offset), noise

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return super().decode(latents + self._offset)

    def decode_half(self, latents: torch.Tensor) -> torch.Tensor:
        """`(B, C, h, w)` latents to a soft `(B, H, W, 3) uint8`, at a quarter of `decode`'s cost.

        Latents that are averaged two by two still decode to the picture: enough for a preview that
        the next step replaces.
        """
        height, width = latents.shape[-2], latents.shape[-1]
        half = (max(1, height // 2), max(1, width // 2))
        small = self.decode(F.interpolate(latents, size=half, mode="area"))
        size = (height * self.factor, width * self.factor)
        channels_first = small.permute(0, 3, 1, 2).float()
        large = F.interpolate(channels_first, size=size, mode="bilinear", align_corners=False)
        return large.round().to(torch.uint8).permute(0, 2, 3, 1)
