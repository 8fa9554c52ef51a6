"""SD3.5 Large Turbo, and whatever has Stable Diffusion 3's layout: two CLIPs and T5, a transformer,
a VAE of 16 channels, flow matching.

Equal to diffusers' own pipelines for the same request (`tests/backends`). What is done differently:
prompts and sketches are kept, each step shows its picture, the stream stops between steps, and a
batch may mix prompts, seeds, strengths and sketches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from turbo_ui.backends.admission import check_batch
from turbo_ui.backends.base import ShouldStop, final_frames
from turbo_ui.backends.compute import Compute, StageClock, release_memory, told
from turbo_ui.backends.flow import FlowSampler, noised, num_denoising_steps
from turbo_ui.backends.latents import Encoded
from turbo_ui.backends.memory import WHOLE, MemoryPlan
from turbo_ui.backends.overflow import Network, widened_text
from turbo_ui.backends.placement import Placement
from turbo_ui.backends.sd3_conditioning import Sd3Conditioning
from turbo_ui.backends.sd3_denoiser import Denoiser, Job
from turbo_ui.backends.sd3_latents import ShiftedLatents
from turbo_ui.catalog import ITEMSIZE, ModelSpec
from turbo_ui.frames import Frame, FrameRequest, FrameTimings, Sketch

DEFAULT_NUM_INFERENCE_STEPS = 4
"""Where the catalog names none, as for a folder of the user's own."""

DEFAULT_MAX_BATCH = 1
"""One picture of this size fills a GPU: two in a batch would both come as late as the second of two
in turn."""


def dtype_name_for(device: torch.device) -> str:
    """The number type that the family runs in: bf16 where a GPU computes in it (Apple's do), as its
    weights are made for it; fp16 on other GPUs, fp32 on a CPU. Fit for `compute.choose`."""
    if device.type == "cpu":
        return "fp32"
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "fp16"
    return "bf16"


class Sd3Turbo:
    """One loaded model. See `backends.base.Backend` for what each method promises.

    Args:
        spec: the model; `self.spec` says how much memory it takes as the plan holds it.
        parts: `tokenizer`, `text_encoder`, `tokenizer_2`, `text_encoder_2`, `transformer`, `vae`,
            `scheduler`; `tokenizer_3` and `text_encoder_3` where T5 is there and the plan does not
            drop it; `tiny_vae` where there is one, which paints the previews. The networks are in
            the number type of `compute`, in eval mode, in main memory or on the device already:
            putting them there is done here, as the plan says.
        compute: device and number type.
        vae_name: whose final picture is shown where a request does not say: "full" is the model's
            own VAE, "tiny" its stand-in.
        plan: how the model is made to fit; `placement.fit` makes one.
        max_batch: the most requests of one call; None is `DEFAULT_MAX_BATCH`.
    """

    def __init__(
        self,
        spec: ModelSpec,
        parts: dict[str, Any],
        compute: Compute,
        vae_name: str = "full",
        plan: MemoryPlan = WHOLE,
        max_batch: int | None = None,
    ) -> None:
        self.spec = spec
        if plan.device_bytes:
            # what it takes, and not what it would take in full: others may have the rest
            needed = plan.device_bytes * ITEMSIZE // compute.dtype.itemsize
            self.spec = replace(spec, memory_bytes=needed)
        self.max_batch = DEFAULT_MAX_BATCH if max_batch is None else max_batch
        self.plan = plan
        self._compute = compute
        self._vae_name = vae_name
        parts = without_t5(parts) if plan.t5 == "dropped" else parts
        self.placement = Placement(parts, plan, compute)
        config = parts["transformer"].config
        self._denoiser = Denoiser(parts["transformer"], self.placement.bring)
        width = int(config.joint_attention_dim)
        self.conditioning = Sd3Conditioning(parts, width, compute, self.placement.bring)
        self.latents = {
            name: ShiftedLatents(parts[part], compute, f"{name} VAE")
            for name, part in (("full", "vae"), ("tiny", "tiny_vae"))
            if parts.get(part) is not None
        }
        assert vae_name in self.latents, f"no {vae_name} VAE among the parts"
        vaes = (latents.network for latents in self.latents.values())
        self._networks: tuple[Network, ...] = (*self.conditioning.networks.values(), *vaes)
        factor = self.latents[vae_name].factor
        side = factor * int(config.patch_size)
        self._sampler = FlowSampler(parts["scheduler"], side)

    @property
    def device_text(self) -> str:
        """Device and number type with the reason, the networks that run in another, and what the
        plan did to make the model fit."""
        words = [self._compute.text + widened_text(self._networks), self.plan.text]
        return "; ".join(word for word in words if word)

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
        """Two steps with a sketch nobody draws, so that a preview is among them."""
        pixels = torch.randint(0, 255, (height, width, 3), dtype=torch.uint8).numpy()
        drawn = FrameRequest(
            model=self.spec.id,
            width=width,
            height=height,
            image=Sketch(pixels),
            strength=1.0,
            num_inference_steps=2,
        )
        self.generate([drawn])
        for latents in self.latents.values():
            latents.kept.clear()

    def close(self) -> None:
        for network in self._networks:  # a page may still ask for `device_text`
            network.close()
        del self._denoiser, self.conditioning, self.latents, self.placement
        release_memory(self._compute.device)

    # --- one call

    def _check(self, requests: Sequence[FrameRequest]) -> None:
        """What the request alone cannot know: what this model can do."""
        check_batch(requests, self.spec, self.max_batch, self.latents, self._compute.dtype_name)
        for request in requests:
            num_denoising_steps(request, self._default_steps)

    @property
    def _default_steps(self) -> int:
        return self.spec.default_num_inference_steps or DEFAULT_NUM_INFERENCE_STEPS

    def _run(self, requests: list[FrameRequest], should_stop: ShouldStop | None) -> Iterator[Frame]:
        """All run on one schedule and end together: who has fewer steps joins later."""
        clock = StageClock(self._compute.device)
        first = requests[0]  # a batch agrees on size and num_inference_steps
        steps = first.num_inference_steps or self._default_steps
        schedule = self._sampler.schedule(steps, first.width, first.height, self._compute.device)
        jobs = self._prepare(requests, schedule, clock)
        begin = min(job.first for job in jobs)
        schedule.set_begin_index(begin)
        for place in range(begin, steps):
            if place > begin and should_stop is not None and should_stop():
                return
            active = [job for job in jobs if job.first <= place]
            with torch.inference_mode(), clock.stage("denoise_ms"):
                clean = self._denoiser.step(active, schedule, place)
            if place + 1 < steps:
                yield from self._previews(active, clean, place, clock)
        yield from self._finals(jobs, clock)

    @torch.inference_mode()
    def _prepare(self, requests: list[FrameRequest], schedule: Any, clock: StageClock) -> list[Job]:
        """Draws as diffusers does: the posterior's sample first, then the noise."""
        jobs: list[Job] = []
        latents = self.latents[requests[0].vae or self._vae_name]
        for index, request in enumerate(requests):
            with clock.stage("text_encode_ms"):
                embeds = self.conditioning.embeds(request.prompt)
                is_guided = request.guidance_scale > 1
                without = self.conditioning.embeds("") if is_guided else None
            with clock.stage("vae_encode_ms"):
                encoded = self._encoded(request, latents)
            generator = torch.Generator().manual_seed(request.seed)
            original, noise = latents.draw(request, encoded, generator)
            num_steps = num_denoising_steps(request, self._default_steps)
            first = len(schedule.timesteps) - num_steps
            x = noise if encoded is None else noised(original, noise, schedule.sigmas[first])
            jobs.append(Job(request, index, num_steps, first, x, embeds, without, generator))
        return jobs

    def _encoded(self, request: FrameRequest, latents: ShiftedLatents) -> Encoded | None:
        if request.sketch is None or request.is_text_to_image:
            return None
        self.placement.bring(self._part_of(latents))
        return latents.encode(request.sketch, request.width, request.height)

    # --- pictures

    def _previews(
        self, active: list[Job], clean: torch.Tensor, place: int, clock: StageClock
    ) -> Iterator[Frame]:
        """The tiny VAE's picture; without one the full VAE's at half the size, enlarged."""
        with torch.inference_mode(), clock.stage("vae_decode_ms"):
            if "tiny" in self.latents:
                self.placement.bring("tiny_vae")
                pictures = self.latents["tiny"].decode(clean)
            else:
                self.placement.bring("vae")
                pictures = self.latents["full"].decode_half(clean)
        yield from self._frames(active, pictures, place, clock)

    def _finals(self, jobs: list[Job], clock: StageClock) -> Iterator[Frame]:
        latents = self.latents[jobs[0].request.vae or self._vae_name]
        with torch.inference_mode(), clock.stage("vae_decode_ms"):
            self.placement.bring(self._part_of(latents))
            # one by one: a full VAE takes gigabytes for each picture of a megapixel
            pictures = torch.cat([latents.decode(job.x) for job in jobs])
        place = jobs[0].first + jobs[0].num_steps - 1
        yield from self._frames(jobs, pictures, place, clock, is_last=True)

    def _frames(
        self,
        jobs: list[Job],
        pictures: torch.Tensor,
        place: int,
        clock: StageClock,
        *,
        is_last: bool = False,
    ) -> Iterator[Frame]:
        images = pictures.cpu().numpy()
        timings = FrameTimings(**clock.ms())
        for image, job in zip(images, jobs, strict=True):
            yield Frame(
                image=image.copy(),
                request=job.request,
                timings=timings,
                kind="frame" if is_last else "preview",
                index=job.index,
                step=place - job.first + 1,
                num_denoising_steps=job.num_steps,
                path=self._path(job.request, len(jobs)),
                is_last=is_last,
            )

    def _part_of(self, latents: ShiftedLatents) -> str:
        return "tiny_vae" if latents is self.latents.get("tiny") else "vae"

    def _path(self, request: FrameRequest, batch: int) -> str:
        vae = request.vae or self._vae_name
        texts = self.conditioning.networks.values()
        words = [self._compute.device.type, self._compute.dtype_name]
        words += [network.words for network in texts if network.is_widened]
        words += [self.latents[vae].network.words, f"eager batch {batch}"]
        plan = self.plan.path
        return " ".join(words) + (f", {plan}" if plan else "")


def without_t5(parts: dict[str, Any]) -> dict[str, Any]:
    """The parts but T5; the prompt goes through the CLIPs alone."""
    return {name: part for name, part in parts.items() if not name.endswith("_3")}
