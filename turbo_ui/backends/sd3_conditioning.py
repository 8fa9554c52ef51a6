"""Prompts as Stable Diffusion 3 is told them: two CLIPs side by side, T5 behind them.

T5 is the largest text encoder by far and the slowest; it runs once for a prompt, as the embeddings
are kept. A model without it is told zeros in its place, as diffusers does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from turbo_ui.backends.compute import Compute
from turbo_ui.backends.kept import Kept

MAX_KEPT_PROMPTS = 32
"""333 × 4096 numbers of 2 bytes each: 87 MB in all for SD3.5 Large Turbo."""

MAX_T5_TOKENS = 256


@dataclass(frozen=True)
class TextEmbeds:
    """What the transformer is told of prompts.

    Attributes:
        prompt_embeds: `(B, tokens, features)`: CLIP's tokens, then T5's.
        pooled: `(B, features)`: each CLIP's one vector for the whole prompt, side by side.
    """

    prompt_embeds: torch.Tensor
    pooled: torch.Tensor

    @classmethod
    def cat(cls, several: Sequence[TextEmbeds]) -> TextEmbeds:
        return cls(
            torch.cat([each.prompt_embeds for each in several]),
            torch.cat([each.pooled for each in several]),
        )


class Sd3Conditioning:
    """What diffusers' SD3 pipelines do with a prompt.

    Args:
        parts: `tokenizer`, `text_encoder`, `tokenizer_2`, `text_encoder_2`, and, where the model
            has it, `tokenizer_3` and `text_encoder_3` (T5).
        num_features: of a token as the transformer wants it (`joint_attention_dim`).
        compute: device and number type.
        bring: called with a part's name before the part runs.
    """

    def __init__(
        self,
        parts: dict[str, Any],
        num_features: int,
        compute: Compute,
        bring: Callable[[str], None],
    ) -> None:
        self._parts = parts
        self._num_features = num_features
        self._compute = compute
        self._bring = bring
        self.has_t5 = parts.get("text_encoder_3") is not None
        self.num_t5_runs = 0
        self.kept: Kept[str, TextEmbeds] = Kept(MAX_KEPT_PROMPTS)

    def embeds(self, prompt: str) -> TextEmbeds:
        """One prompt, from what was kept or from the text encoders.

        What is beyond 77 tokens of a CLIP, or 256 of T5, is cut off. Each prompt is encoded by
        itself: its numbers must not depend on who shares the batch.
        """
        return self.kept.get(prompt, lambda: self._encode(prompt))

    def _encode(self, prompt: str) -> TextEmbeds:
        clips = [self._clip(prompt, ending) for ending in ("", "_2")]
        clip = torch.cat([tokens for tokens, _ in clips], dim=-1)
        clip = F.pad(clip, (0, self._num_features - clip.shape[-1]))
        tokens = torch.cat([clip, self._t5(prompt)], dim=-2)
        pooled = torch.cat([pooled for _, pooled in clips], dim=-1)
        return TextEmbeds(tokens.to(self._compute.dtype), pooled.to(self._compute.dtype))

    def _clip(self, prompt: str, ending: str) -> tuple[torch.Tensor, torch.Tensor]:
        # both are cut where the first one's tokenizer ends, as in diffusers
        max_tokens = self._parts["tokenizer"].model_max_length
        ids = self._ids(self._parts["tokenizer" + ending], prompt, max_tokens)
        self._bring("text_encoder" + ending)
        answer = self._parts["text_encoder" + ending](ids, output_hidden_states=True)
        return answer.hidden_states[-2], answer.text_embeds

    def _t5(self, prompt: str) -> torch.Tensor:
        if not self.has_t5:
            shape = (1, MAX_T5_TOKENS, self._num_features)
            return torch.zeros(shape, dtype=self._compute.dtype, device=self._compute.device)
        ids = self._ids(self._parts["tokenizer_3"], prompt, MAX_T5_TOKENS)
        self._bring("text_encoder_3")
        self.num_t5_runs += 1
        return self._parts["text_encoder_3"](ids)[0]

    def _ids(self, tokenizer: Any, prompt: str, max_tokens: int) -> torch.Tensor:
        tokens = tokenizer(
            prompt,
            padding="max_length",
            max_length=max_tokens,
            truncation=True,
            add_special_tokens=True,
            return_tensors="pt",
        )
        return tokens.input_ids.to(self._compute.device)
