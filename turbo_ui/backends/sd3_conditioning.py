"""Prompts as Stable Diffusion 3 is told them: two CLIPs side by side, T5 behind them.

T5 is the largest text encoder by far and the slowest; it runs once for a prompt, as the embeddings
are kept. A model without it is told zeros in its place, as diffusers does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch.nn import functional as F

from turbo_ui.backends.compute import Compute
from turbo_ui.backends.kept import Kept
from turbo_ui.backends.overflow import Network, is_finite

MAX_KEPT_PROMPTS = 32
"""333 × 4096 numbers of 2 bytes each: 87 MB in all for SD3.5 Large Turbo."""

MAX_T5_TOKENS = 256

Tensors = TypeVar("Tensors", bound=tuple[torch.Tensor, ...])

TITLES = {"text_encoder": "CLIP-L", "text_encoder_2": "CLIP-G"}


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

    Attributes:
        networks: the CLIPs as they run, by their names.
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
        self.networks = {
            name: Network(title, parts[name], compute)
            for name, title in TITLES.items()
            if parts.get(name) is not None
        }
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

        def encode(module: Any) -> tuple[torch.Tensor, torch.Tensor]:
            answer = module(ids, output_hidden_states=True)
            return answer.hidden_states[-2], answer.text_embeds

        return self._run("text_encoder" + ending, encode)

    def _t5(self, prompt: str) -> torch.Tensor:
        if not self.has_t5:
            shape = (1, MAX_T5_TOKENS, self._num_features)
            return torch.zeros(shape, dtype=self._compute.dtype, device=self._compute.device)
        ids = self._ids(self._parts["tokenizer_3"], prompt, MAX_T5_TOKENS)
        self.num_t5_runs += 1
        # never widened: it is as large as all the memory that was reckoned for it
        self._bring("text_encoder_3")
        tokens: torch.Tensor = self._parts["text_encoder_3"](ids)[0]
        return tokens

    def _run(self, name: str, encode: Callable[[Any], Tensors]) -> Tensors:
        """What a text encoder makes; where it overflows, once more in a wider number type.

        Where it could not be widened nothing is looked at, as that waits for the device.
        """
        network = self.networks[name]
        self._bring(name)
        made = encode(network.module)
        if network.can_widen and not is_finite(*made) and network.widen():
            self.kept.clear()  # what fp16 made of a prompt is not what is made of it from now on
            made = encode(network.module)
        return made

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
