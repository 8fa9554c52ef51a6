"""Sketches as latents, and the noise that a seed draws, in diffusers' order.

With a VAE that has a posterior (AutoencoderKL) diffusers draws the posterior's sample first and the
noise second from one generator; the tiny VAE has no posterior, and noise alone is drawn. So what is
kept for a sketch is the posterior's mean and deviation, and each seed draws anew.

A page on the lane holds its newest sketch and that of its newest refine as long as it is there,
and nobody holds the older ones. So the latents of sketches that somebody holds go last: a resting
page's are there when it asks again, however much others draw, and no backend has to know of pages.

A full VAE may overflow in fp16. Where that is known it runs in a wider number type from the start;
where it is seen, in a picture or latents that are not finite, from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch

from turbo_ui import imaging
from turbo_ui.backends.compute import Compute
from turbo_ui.backends.kept import Kept
from turbo_ui.backends.overflow import LatentsOverflow, Network, is_finite, overflow
from turbo_ui.frames import FrameRequest, Pixels, Sketch

MAX_KEPT_BYTES = 16 * 1024 * 1024
"""Of all sketches of a VAE: little enough to be in no plan of the device's memory.

Of SD-Turbo's at 512×512 in fp16, 64 kB each, that is 256 sketches; of SD3.5's at 1024×1024 in bf16,
1 MB each, 16: for so many sessions the newest one stays. A drawing hand leaves a new sketch with
every frame and never comes back to it."""

Key = tuple[str, int, int]
"""A sketch's digest, and the width and height that it is encoded at: equal keys are equal latents,
whoever drew them."""


@dataclass(frozen=True)
class Encoded:
    """A sketch's latents before scaling: `mean`, and the posterior's `deviation` where there is
    one."""

    mean: torch.Tensor
    deviation: torch.Tensor | None

    @property
    def is_finite(self) -> bool:
        return is_finite(self.mean)

    @property
    def num_bytes(self) -> int:
        """What it keeps in memory."""
        tensors = [self.mean] if self.deviation is None else [self.mean, self.deviation]
        return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


class Held:
    """The keys whose sketch somebody has, or one equal to it: not longer than it is there."""

    def __init__(self) -> None:
        self._sketches: dict[Key, WeakValueDictionary[int, Sketch]] = {}

    def add(self, key: Key, sketch: Sketch) -> None:
        if key not in self._sketches:
            self._sketches = {key: held for key, held in self._sketches.items() if held}
            self._sketches[key] = WeakValueDictionary()
        self._sketches[key][id(sketch)] = sketch  # a set would take equal ones for one

    def __contains__(self, key: Key) -> bool:
        return bool(self._sketches.get(key))


class VaeLatents:
    """A VAE with its sketches kept, for one device and number type.

    Args:
        vae: AutoencoderKL or AutoencoderTiny, on the device and in the number type of `compute`.
        compute: what the latents are for.
        heeds_upcast: the family's pipelines read the VAE's `force_upcast`. SDXL's do; SD's do not,
            whose VAE says it, too, and works in fp16.
        title: of the VAE, for people.

    Attributes:
        network: the VAE as it runs.
    """

    def __init__(
        self, vae: Any, compute: Compute, *, heeds_upcast: bool = False, title: str = "VAE"
    ) -> None:
        self.network = Network(title, vae, compute)
        self._compute = compute
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.num_channels = int(vae.config.latent_channels)
        self._scaling = float(vae.config.scaling_factor)
        self._held = Held()
        self.kept: Kept[Key, Encoded] = Kept(
            MAX_KEPT_BYTES, attrgetter("num_bytes"), self._held.__contains__
        )
        if heeds_upcast and vae.config.force_upcast:
            self._widen()

    def encode(self, sketch: Sketch, width: int, height: int) -> Encoded:
        """The sketch at this size, from what was kept or from the VAE.

        Each sketch is encoded by itself: its numbers must not depend on who shares the batch.

        Raises:
            BackendFailure: its latents are not finite, in the widest number type either.
        """
        key = (sketch.digest, width, height)
        self._held.add(key, sketch)
        return self.kept.get(key, lambda: self._encode(imaging.fit(sketch.pixels, width, height)))

    def draw(
        self, request: FrameRequest, encoded: Encoded | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The clean latents (zeros for text-to-image) and unit noise, both `(1, C, h, w)`.

        The generator is the CPU's on every device: a seed means the same picture everywhere.
        """
        dtype, device = self._compute.dtype, self._compute.device
        height, width = request.height // self.factor, request.width // self.factor
        shape = (1, self.num_channels, height, width)
        if encoded is None:
            original = torch.zeros(shape, dtype=dtype, device=device)
            return original, self._randn(shape, generator, dtype)
        original = encoded.mean
        if encoded.deviation is not None:
            drawn = self._randn(shape, generator, encoded.deviation.dtype)
            original = original + encoded.deviation * drawn
        return self._scaling * original.to(dtype), self._randn(shape, generator, dtype)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """`(B, C, h, w)` latents to `(B, H, W, 3) uint8` on the device.

        Raises:
            LatentsOverflow: the latents are not finite. Another number type of the VAE cannot help,
                and a tiny VAE, which bounds what it is given, would make some picture of them.
            BackendFailure: the picture is not finite, in the widest number type either.
        """
        decoded = self._decoded(latents)
        if not is_finite(decoded, latents):
            if not is_finite(latents):
                raise overflow("the latents", self._compute.dtype_name, LatentsOverflow)
            if self._widen():
                decoded = self._decoded(latents)
            if not is_finite(decoded):
                raise overflow("the picture", self._compute.dtype_name)
        pixels = (decoded.float() / 2 + 0.5).clamp(0, 1) * 255
        return pixels.round().to(torch.uint8).permute(0, 2, 3, 1)

    def close(self) -> None:
        """Lets the VAE and what it made go."""
        self.network.close()
        self.kept.clear()

    # --- the VAE

    def _decoded(self, latents: torch.Tensor) -> torch.Tensor:
        latents = (latents.to(self.network.dtype) / self._scaling).contiguous(
            memory_format=self._compute.memory_format
        )
        return self.network.module.decode(latents, return_dict=False)[0]

    def _encode(self, pixels: Pixels) -> Encoded:
        # 0–255 to −1…1, in fp32 before the cast: as diffusers' image processor does
        scaled = torch.from_numpy(pixels.astype(np.float32) / 255.0)[None].permute(0, 3, 1, 2)
        picture = (2.0 * scaled - 1.0).to(self._compute.device)
        encoded = self._encoded(picture)
        if encoded.is_finite:  # looked at once: on a GPU this waits
            return encoded
        if self._widen():
            encoded = self._encoded(picture)
        if not encoded.is_finite:
            raise overflow("the sketch's latents", self._compute.dtype_name)
        return encoded

    def _encoded(self, picture: torch.Tensor) -> Encoded:
        picture = picture.to(self.network.dtype)
        picture = picture.contiguous(memory_format=self._compute.memory_format)
        answer = self.network.module.encode(picture)
        if hasattr(answer, "latent_dist"):
            posterior = answer.latent_dist
            return Encoded(_copy(posterior.mean), _copy(posterior.std))
        return Encoded(_copy(answer.latents), None)

    def _widen(self) -> bool:
        """Puts the VAE into a number type that does not overflow; False where that cannot be."""
        if not self.network.widen():
            return False
        self.kept.clear()  # what fp16 made of a sketch is not what is made of it from now on
        return True

    def _randn(
        self, shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype
    ) -> torch.Tensor:
        noise = torch.randn(shape, generator=generator, dtype=dtype)
        return noise.to(self._compute.device)


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    """Of its own: a view would keep the VAE's whole answer in memory."""
    return tensor.clone(memory_format=torch.contiguous_format)
