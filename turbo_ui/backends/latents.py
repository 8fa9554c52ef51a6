"""Sketches as latents, and the noise that a seed draws, in diffusers' order.

With a VAE that has a posterior (AutoencoderKL) diffusers draws the posterior's sample first and the
noise second from one generator; the tiny VAE has no posterior, and noise alone is drawn. So what is
kept for a sketch is the posterior's mean and deviation, and each seed draws anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from turbo_ui import imaging
from turbo_ui.backends.compute import Compute
from turbo_ui.backends.conditioning import Kept
from turbo_ui.frames import FrameRequest, Pixels, Sketch

MAX_KEPT_SKETCHES = 32
"""The newest sketch of that many sessions; some 32 kB each."""


@dataclass(frozen=True)
class Encoded:
    """A sketch's latents before scaling: `mean`, and the posterior's `deviation` where there is
    one."""

    mean: torch.Tensor
    deviation: torch.Tensor | None


class VaeLatents:
    """A VAE with its sketches kept, for one device and number type."""

    def __init__(self, vae: Any, compute: Compute) -> None:
        self._vae = vae
        self._compute = compute
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.num_channels = int(vae.config.latent_channels)
        self._scaling = float(vae.config.scaling_factor)
        self.kept: Kept[tuple[str, int, int], Encoded] = Kept(MAX_KEPT_SKETCHES)

    def encode(self, sketch: Sketch, width: int, height: int) -> Encoded:
        """The sketch at this size, from what was kept or from the VAE.

        Each sketch is encoded by itself: its numbers must not depend on who shares the batch.
        """
        key = (sketch.digest, width, height)
        return self.kept.get(key, lambda: self._encode(imaging.fit(sketch.pixels, width, height)))

    def draw(
        self, request: FrameRequest, encoded: Encoded | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The clean latents (zeros for text-to-image) and unit noise, both `(1, C, h, w)`.

        The generator is the CPU's on every device: a seed means the same picture everywhere.
        """
        shape = (
            1,
            self.num_channels,
            request.height // self.factor,
            request.width // self.factor,
        )
        if encoded is None:
            return torch.zeros(
                shape, dtype=self._compute.dtype, device=self._compute.device
            ), self._randn(shape, generator)
        original = encoded.mean
        if encoded.deviation is not None:
            original = original + encoded.deviation * self._randn(shape, generator)
        return self._scaling * original, self._randn(shape, generator)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """`(B, C, h, w)` latents to `(B, H, W, 3) uint8` on the device."""
        latents = (latents / self._scaling).contiguous(memory_format=self._compute.memory_format)
        decoded = self._vae.decode(latents, return_dict=False)[0]
        pixels = (decoded.float() / 2 + 0.5).clamp(0, 1) * 255
        return pixels.round().to(torch.uint8).permute(0, 2, 3, 1)

    def _encode(self, pixels: Pixels) -> Encoded:
        # 0–255 to −1…1, in fp32 before the cast: as diffusers' image processor does
        scaled = torch.from_numpy(pixels.astype(np.float32) / 255.0)[None].permute(0, 3, 1, 2)
        picture = (2.0 * scaled - 1.0).to(self._compute.device, self._compute.dtype)
        picture = picture.contiguous(memory_format=self._compute.memory_format)
        answer = self._vae.encode(picture)
        if hasattr(answer, "latent_dist"):
            posterior = answer.latent_dist
            return Encoded(posterior.mean.contiguous(), posterior.std.contiguous())
        return Encoded(answer.latents.contiguous(), None)

    def _randn(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        noise = torch.randn(shape, generator=generator, dtype=self._compute.dtype)
        return noise.to(self._compute.device)
