"""SD-Turbo, SDXL-Turbo, doodle, and whatever has their layout: one or two CLIP text encoders, a
UNet, a VAE, an Euler scheduler.

Equal to diffusers' own pipelines for the same request (`tests/backends`); what is done differently
is that nothing is computed twice (prompts and sketches are kept), that a batch may mix prompts,
seeds, strengths and sketches, and that a network whose numbers overflow in fp16 leaves it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from turbo_ui.backends.admission import check_batch
from turbo_ui.backends.base import ShouldStop, final_frames
from turbo_ui.backends.compute import Compute, StageClock, release_memory, told
from turbo_ui.backends.conditioning import (
    ClipConditioning,
    Conditioning,
    Conditions,
    SdxlConditioning,
    is_guided,
)
from turbo_ui.backends.latents import Encoded, VaeLatents
from turbo_ui.backends.overflow import LatentsOverflow, Network, widened_text
from turbo_ui.backends.sampling import Sampler, num_denoising_steps
from turbo_ui.catalog import ModelSpec
from turbo_ui.frames import Frame, FrameRequest, FrameTimings, Sketch


class UnetTurbo:
    """One loaded model. See `backends.base.Backend` for what each method promises.

    Args:
        spec: the model.
        parts: `tokenizer`, `text_encoder`, `unet`, `vae` and `scheduler`, on the device; for the
            SDXL family `tokenizer_2` and `text_encoder_2`, too.
        compute: device and number type that the parts are in.
        vae_name: "full" for the model's own VAE, "tiny" for its stand-in.
        max_batch: the most requests of one call; None is what the device is good at.
    """

    def __init__(
        self,
        spec: ModelSpec,
        parts: dict[str, Any],
        compute: Compute,
        vae_name: str = "full",
        max_batch: int | None = None,
    ) -> None:
        self.spec = spec
        self.max_batch = compute.max_batch if max_batch is None else max_batch
        self._compute = compute
        self._vae_name = vae_name
        self._unet = Network("UNet", parts["unet"], compute)
        is_sdxl = parts.get("text_encoder_2") is not None
        self.conditioning = _conditioning(parts, compute)
        title = f"{vae_name} VAE"
        self.latents = VaeLatents(parts["vae"], compute, heeds_upcast=is_sdxl, title=title)
        self._sampler = Sampler(parts["scheduler"])

    @property
    def device_text(self) -> str:
        """Device and number type with the reason, and the networks that run in another."""
        return self._compute.text + widened_text(self._networks)

    @property
    def _networks(self) -> tuple[Network, ...]:
        return (*self.conditioning.networks, self._unet, self.latents.network)

    # --- what a backend does

    def stream(
        self, requests: Sequence[FrameRequest], should_stop: ShouldStop | None = None
    ) -> Iterator[Frame]:
        self._check(requests)
        with told(self.spec.id):
            yield from self._run(list(requests), should_stop)

    def generate(self, requests: Sequence[FrameRequest]) -> list[Frame]:
        return final_frames(self.stream(requests))

    def warm_up(self, width: int, height: int) -> None:
        """One frame of each kind: text-to-image, and image-to-image with a sketch nobody draws."""
        pixels = torch.randint(0, 255, (height, width, 3), dtype=torch.uint8).numpy()
        plain = FrameRequest(model=self.spec.id, width=width, height=height)
        drawn = FrameRequest(
            model=self.spec.id, width=width, height=height, image=Sketch(pixels), prompt="a warm-up"
        )
        for request in (plain, drawn, drawn):
            self.generate([request])
        self.latents.kept.clear()

    def close(self) -> None:
        # what they ran in is kept: a page may still ask for `device_text`
        for network in self._networks:
            network.close()
        self.conditioning.kept.clear()
        self.latents.close()
        release_memory(self._compute.device)

    # --- one call

    def _check(self, requests: Sequence[FrameRequest]) -> None:
        """What the request alone cannot know: what this model can do."""
        vaes, dtype_name = (self._vae_name,), self._compute.dtype_name
        check_batch(requests, self.spec, self.max_batch, vaes, dtype_name)
        for request in requests:
            num_denoising_steps(request)

    @torch.inference_mode()
    def _prepare(
        self, requests: list[FrameRequest], clock: StageClock
    ) -> tuple[Conditions, torch.Tensor, torch.Tensor, list[torch.Generator]]:
        """What the UNet is told, clean latents, noise, and the generators after these draws."""
        with clock.stage("text_encode_ms"):
            conditions = self.conditioning.conditions(requests)
        with clock.stage("vae_encode_ms"):
            encoded = [self._encoded(request) for request in requests]
        generators = [torch.Generator().manual_seed(request.seed) for request in requests]
        drawn = [
            self.latents.draw(*each) for each in zip(requests, encoded, generators, strict=True)
        ]
        originals = torch.cat([original for original, _ in drawn])
        noise = torch.cat([noise for _, noise in drawn])
        return conditions, originals, noise, generators

    def _run(self, requests: list[FrameRequest], should_stop: ShouldStop | None) -> Iterator[Frame]:
        """Begins anew where a network overflowed and runs in a wider number type from then on; the
        steps that were shown before are not shown again."""
        clock = StageClock(self._compute.device)
        num_shown = step = 0
        while True:
            try:
                for frame in self._denoised(requests, should_stop, clock):
                    if frame.step > num_shown:
                        step = frame.step
                        yield frame
                return
            except LatentsOverflow:
                if not self._widen(requests):
                    raise
                num_shown = step

    @torch.inference_mode()
    def _widen(self, requests: list[FrameRequest]) -> bool:
        """Widens whatever made latents that are not finite: text encoders, else the UNet; False
        where nothing can be. Looked for now, and not in every frame: looking waits for the device.
        """
        return self.conditioning.widen(requests) or self._unet.widen()

    def _denoised(
        self, requests: list[FrameRequest], should_stop: ShouldStop | None, clock: StageClock
    ) -> Iterator[Frame]:
        conditions, originals, noise, generators = self._prepare(requests, clock)
        if requests[0].num_inference_steps is None:
            clean = self._one_step(requests, conditions, originals, noise, clock)
            yield from self._frames(requests, clean, 1, 1, clock)
        else:
            yield from self._many_steps(
                requests, conditions, originals, noise, generators, should_stop, clock
            )

    @torch.inference_mode()
    def _one_step(
        self,
        requests: list[FrameRequest],
        conditions: Conditions,
        originals: torch.Tensor,
        noise: torch.Tensor,
        clock: StageClock,
    ) -> torch.Tensor:
        with clock.stage("denoise_ms"):
            plan = self._sampler.one_step(requests, self._compute.device)
            x = plan.add_noise(originals, noise)
            output = self._predict(plan.model_input(x), plan.timesteps, conditions, requests)
            return plan.predict(x, output)

    def _many_steps(
        self,
        requests: list[FrameRequest],
        conditions: Conditions,
        originals: torch.Tensor,
        noise: torch.Tensor,
        generators: list[torch.Generator],
        should_stop: ShouldStop | None,
        clock: StageClock,
    ) -> Iterator[Frame]:
        first = requests[0]  # a batch agrees on steps and strength
        scheduler, timesteps = self._sampler.many_steps(first, self._compute.device)
        if first.is_text_to_image:
            x = noise * scheduler.init_noise_sigma
        else:
            x = scheduler.add_noise(originals, noise, timesteps[:1].repeat(len(requests)))
        for step, t in enumerate(timesteps, start=1):
            if step > 1 and should_stop is not None and should_stop():
                return
            # not around the yield: the mode would leak into whoever reads the stream
            with torch.inference_mode(), clock.stage("denoise_ms"):
                scaled = scheduler.scale_model_input(x, t)
                output = self._predict(scaled, t.repeat(len(requests)), conditions, requests)
                x, clean = scheduler.step(output, t, x, generator=generators, return_dict=False)
            is_last = step == len(timesteps)
            latents = x if is_last else clean.to(x.dtype)
            yield from self._frames(requests, latents, step, len(timesteps), clock)

    def _predict(
        self,
        x: torch.Tensor,
        timesteps: torch.Tensor,
        conditions: Conditions,
        requests: list[FrameRequest],
    ) -> torch.Tensor:
        """The UNet's output; with guidance it runs without and with the prompt, in one batch."""
        has_guidance = is_guided(requests)
        dtype = self._unet.dtype
        x = x.to(dtype)
        output = self._unet.module(
            torch.cat([x, x]) if has_guidance else x,
            torch.cat([timesteps, timesteps]) if has_guidance else timesteps,
            encoder_hidden_states=conditions.prompt_embeds.to(dtype),
            added_cond_kwargs=conditions.added,
            return_dict=False,
        )[0]
        if self._unet.is_widened:
            output = output.float()  # so are the latents: fp16 may not hold them, bf16 rounds them
        if not has_guidance:
            return output
        without, with_prompt = output.chunk(2)
        return without + requests[0].guidance_scale * (with_prompt - without)

    def _frames(
        self,
        requests: list[FrameRequest],
        latents: torch.Tensor,
        step: int,
        num_steps: int,
        clock: StageClock,
    ) -> Iterator[Frame]:
        with torch.inference_mode(), clock.stage("vae_decode_ms"):
            pictures = self.latents.decode(latents)
        images = pictures.cpu().numpy()
        timings = FrameTimings(**clock.ms())
        is_last = step == num_steps
        for index, request in enumerate(requests):
            yield Frame(
                image=images[index].copy(),
                request=request,
                timings=timings,
                kind="frame" if is_last else "preview",
                index=index,
                step=step,
                num_denoising_steps=num_steps,
                path=self._path(len(requests)),
                is_last=is_last,
            )

    def _encoded(self, request: FrameRequest) -> Encoded | None:
        if request.sketch is None or request.is_text_to_image:
            return None
        return self.latents.encode(request.sketch, request.width, request.height)

    def _path(self, batch: int) -> str:
        words = [self._compute.device.type, self._compute.dtype_name]
        others = (*self.conditioning.networks, self._unet)
        words += [network.words for network in others if network.is_widened]
        words += [self.latents.network.words, f"eager batch {batch}"]
        return " ".join(words)


def _conditioning(parts: dict[str, Any], compute: Compute) -> Conditioning:
    """By the text encoders that there are."""
    if parts.get("text_encoder_2") is None:
        return ClipConditioning(parts["tokenizer"], parts["text_encoder"], compute)
    both = [(parts["tokenizer" + end], parts["text_encoder" + end]) for end in ("", "_2")]
    return SdxlConditioning(both, compute)
