"""Shows the denoiser where to look: cross attention that is told which token belongs to a cell.

Only for training; what it runs is what diffusers' own attention runs.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from training.doodle.layout import attention_targets

NUM_TAUGHT_HEADS = 2
"""Of each layer; the other half stays free to look for words, colours and backgrounds."""


class TaughtAttention:
    """diffusers' scaled-dot-product cross attention, which keeps the first heads' scores.

    `log_shares`: `(N, heads, cells, tokens)`, the logarithm of what each token got last.
    """

    log_shares: torch.Tensor

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        query, key, value = (
            layer(states).unflatten(2, (attn.heads, -1)).transpose(1, 2)
            for layer, states in (
                (attn.to_q, hidden_states),
                (attn.to_k, encoder_hidden_states),
                (attn.to_v, encoder_hidden_states),
            )
        )
        found = F.scaled_dot_product_attention(query, key, value)
        taught = slice(NUM_TAUGHT_HEADS)
        scores = query[:, taught] @ key[:, taught].transpose(2, 3) / math.sqrt(key.shape[3])
        self.log_shares = scores.log_softmax(dim=-1)
        return attn.to_out[0](found.transpose(1, 2).flatten(2))


class Lookup:
    """Teaches the cross attention of a denoiser's middle and way up, which know what is where."""

    def __init__(self, unet: Any) -> None:
        self.processors: list[TaughtAttention] = []
        for name, module in unet.named_modules():
            if name.endswith("attn2") and name.startswith(("mid_block", "up_blocks")):
                self.processors.append(TaughtAttention())
                module.set_processor(self.processors[-1])

    def loss(self, layout: torch.Tensor) -> torch.Tensor:
        """Mean cross entropy, in nats, of where the last call looked in cells that hold a named
        thing; `layout`: `(N, 4, 7)`."""
        targets: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        losses = []
        for processor in self.processors:
            side = math.isqrt(processor.log_shares.shape[2])
            if side not in targets:
                targets[side] = attention_targets(layout, side)
            wanted, is_known = targets[side]
            missed = -(processor.log_shares * wanted[:, None]).sum(-1).mean(1)  # (N, cells)
            losses.append((missed * is_known).sum() / is_known.sum().clamp(min=1))
        return torch.stack(losses).mean()
