"""Prompts as what the UNet is told: SD's one CLIP encoder, SDXL's two; kept for the prompts that
were used last.

Each prompt is encoded by itself: its numbers must not depend on who shares the batch. Whether they
are finite is not looked at here, as that would wait for the device: pictures are looked at anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from turbo_ui.backends.compute import Compute
from turbo_ui.backends.kept import Kept
from turbo_ui.backends.overflow import Network, is_finite
from turbo_ui.frames import FrameRequest

MAX_KEPT_PROMPTS = 128
"""77 × 1024 numbers of 2 bytes each: 20 MB in all for SD-Turbo, 41 MB for SDXL-Turbo."""


@dataclass(frozen=True)
class Conditions:
    """What the UNet is told besides latents and timesteps.

    B is the number of requests; with guidance twice that, first without the prompt, then with it.

    Attributes:
        prompt_embeds: `(B, tokens, features)`, in the number type of the text encoder.
        added: SDXL's `text_embeds` `(B, features)` and `time_ids` `(B, 6)`; None for SD.
    """

    prompt_embeds: torch.Tensor
    added: dict[str, torch.Tensor] | None = None


class Conditioning(Protocol):
    """The prompts of requests that share a batch, for one family."""

    @property
    def kept(self) -> Kept[str, Any]:
        """The embeddings of single prompts."""
        ...

    @property
    def networks(self) -> Sequence[Network]:
        """The text encoders."""
        ...

    def conditions(self, requests: Sequence[FrameRequest]) -> Conditions:
        """What a token limit cuts off of a long prompt is cut off, as diffusers does."""
        ...

    def widen(self, requests: Sequence[FrameRequest]) -> bool:
        """Puts the text encoders that overflow on these prompts into a wider number type, and
        forgets what they made; False where none was put into one."""
        ...


def is_guided(requests: Sequence[FrameRequest]) -> bool:
    """diffusers' rule: guidance of 1 or less is none. A batch agrees on it."""
    return requests[0].guidance_scale > 1


class ClipConditioning:
    """What SD's and SD-Turbo's pipelines do with a prompt: one CLIP, padded to its full length."""

    def __init__(self, tokenizer: Any, text_encoder: Any, compute: Compute) -> None:
        self._tokenizer = tokenizer
        self._text_encoder = Network("text encoder", text_encoder, compute)
        self.networks = (self._text_encoder,)
        self.kept: Kept[str, torch.Tensor] = Kept(MAX_KEPT_PROMPTS)

    def conditions(self, requests: Sequence[FrameRequest]) -> Conditions:
        embeds = [self._embeds(request.prompt) for request in requests]
        if is_guided(requests):
            embeds = [self._embeds("")] * len(requests) + embeds
        return Conditions(torch.cat(embeds))

    def widen(self, requests: Sequence[FrameRequest]) -> bool:
        if is_finite(self.conditions(requests).prompt_embeds):
            return False
        self.kept.clear()
        return self._text_encoder.widen()

    def _embeds(self, prompt: str) -> torch.Tensor:
        return self.kept.get(prompt, lambda: self._encode(prompt))

    def _encode(self, prompt: str) -> torch.Tensor:
        module = self._text_encoder.module
        tokens = _tokens(self._tokenizer, prompt)
        mask = None
        if getattr(module.config, "use_attention_mask", False):
            mask = tokens.attention_mask.to(module.device)
        answer = module(tokens.input_ids.to(module.device), attention_mask=mask)
        return answer[0].to(self._text_encoder.dtype)


class SdxlConditioning:
    """What SDXL's pipelines do: the last layer but one of two CLIPs side by side, the second one's
    pooled text, and the size that the picture should look made for.

    Args:
        encoders: tokenizer and text encoder, first CLIP-L's, then CLIP-G's (which projects).
        compute: device and number type of the text encoders.
    """

    def __init__(self, encoders: Sequence[tuple[Any, Any]], compute: Compute) -> None:
        titles = ("text encoder", "second text encoder")
        self._encoders = [
            (tokenizer, Network(title, text_encoder, compute))
            for title, (tokenizer, text_encoder) in zip(titles, encoders, strict=True)
        ]
        self.networks = tuple(network for _, network in self._encoders)
        self.kept: Kept[str, tuple[torch.Tensor, torch.Tensor]] = Kept(MAX_KEPT_PROMPTS)

    def conditions(self, requests: Sequence[FrameRequest]) -> Conditions:
        texts = [self._texts(request.prompt) for request in requests]
        embeds = torch.cat([embeds for embeds, _ in texts])
        pooled = torch.cat([pooled for _, pooled in texts])
        time_ids = _time_ids(requests, embeds)
        if is_guided(requests):
            # without a prompt is zeros and not the empty prompt: `force_zeros_for_empty_prompt`
            embeds = torch.cat([torch.zeros_like(embeds), embeds])
            pooled = torch.cat([torch.zeros_like(pooled), pooled])
            time_ids = torch.cat([time_ids, time_ids])
        return Conditions(embeds, {"text_embeds": pooled, "time_ids": time_ids})

    def widen(self, requests: Sequence[FrameRequest]) -> bool:
        answers = [self._answers(request.prompt) for request in requests]
        overflowed = [
            network
            for place, network in enumerate(self.networks)
            if not is_finite(*(tensor for each in answers for tensor in each[place]))
        ]
        if overflowed:
            self.kept.clear()
        widened = [network.widen() for network in overflowed]
        return any(widened)

    def _texts(self, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self.kept.get(prompt, lambda: self._encode(prompt))

    def _encode(self, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
        answers = self._answers(prompt)
        return torch.cat([answer[0] for answer in answers], dim=-1), answers[-1][1]

    def _answers(self, prompt: str) -> list[tuple[torch.Tensor, ...]]:
        """Of each text encoder what is used: its tokens, and behind the second one's its pooled
        text."""
        return [
            tuple(tensor.to(network.dtype) for tensor in _used(tokenizer, network.module, prompt))
            for tokenizer, network in self._encoders
        ]


def _used(tokenizer: Any, text_encoder: Any, prompt: str) -> list[torch.Tensor]:
    ids = _tokens(tokenizer, prompt).input_ids.to(text_encoder.device)
    answer = text_encoder(ids, output_hidden_states=True)
    pooled = getattr(answer, "text_embeds", None)
    return [answer.hidden_states[-2], *([] if pooled is None else [pooled])]


def _tokens(tokenizer: Any, prompt: str) -> Any:
    return tokenizer(
        prompt,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )


def _time_ids(requests: Sequence[FrameRequest], like: torch.Tensor) -> torch.Tensor:
    """`(B, 6)`: original size, top left corner of the crop, and target size, each height first.

    As the pipelines' defaults are: a whole picture that always had this size.
    """
    sizes = [(request.height, request.width) for request in requests]
    return torch.tensor(
        [(*size, 0, 0, *size) for size in sizes], dtype=like.dtype, device=like.device
    )
