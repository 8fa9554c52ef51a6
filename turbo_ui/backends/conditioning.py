"""Prompts as a CLIP text encoder's embeddings, kept for the prompts that were used last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import torch

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_KEPT_PROMPTS = 128
"""77 × 1024 numbers of 2 bytes each: 20 MB in all for SD-Turbo."""


class Kept(Generic[K, V]):
    """The most recently used values, with counts of how often they were of use."""

    def __init__(self, max_kept: int) -> None:
        self._values: OrderedDict[K, V] = OrderedDict()
        self._max_kept = max_kept
        self.num_hits = 0
        self.num_misses = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value kept under the key, else made now and kept."""
        if key in self._values:
            self.num_hits += 1
            self._values.move_to_end(key)
            return self._values[key]
        self.num_misses += 1
        value = self._values[key] = make()
        while len(self._values) > self._max_kept:
            self._values.popitem(last=False)
        return value

    def clear(self) -> None:
        self._values.clear()


class ClipConditioning:
    """What SD's and SD-Turbo's pipelines do with a prompt: one CLIP, padded to its full length."""

    def __init__(self, tokenizer: Any, text_encoder: Any, dtype: torch.dtype) -> None:
        self._tokenizer = tokenizer
        self._text_encoder = text_encoder
        self._dtype = dtype
        self.kept: Kept[str, torch.Tensor] = Kept(MAX_KEPT_PROMPTS)

    def embed(self, prompts: list[str]) -> torch.Tensor:
        """`(B, tokens, features)`; what the encoder cannot hold of a long prompt is cut off.

        Each prompt is encoded by itself: its numbers must not depend on who shares the batch.
        """
        return torch.cat(
            [self.kept.get(prompt, lambda p=prompt: self._encode(p)) for prompt in prompts]
        )

    def _encode(self, prompt: str) -> torch.Tensor:
        tokens = self._tokenizer(
            prompt,
            padding="max_length",
            max_length=self._tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        device = self._text_encoder.device
        mask = None
        if getattr(self._text_encoder.config, "use_attention_mask", False):
            mask = tokens.attention_mask.to(device)
        answer = self._text_encoder(tokens.input_ids.to(device), attention_mask=mask)
        return answer[0].to(self._dtype)
