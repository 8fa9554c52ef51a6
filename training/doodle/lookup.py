"""Shows the denoiser where to look: cross attention that is told which token belongs to a cell.

Only for training; what it runs is what diffusers' own attention runs. Once trained, it is made
surer of where it looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.transformers.transformer_2d import Transformer2DModel

from training.doodle.layout import attention_targets

NUM_TAUGHT_HEADS = 2
"""Of each layer; the other half stays free to look for words, colours and backgrounds."""
_QUARTER = 0.25  # of a cell
_BESIDE = (
    ((-_QUARTER, -_QUARTER), (_QUARTER, _QUARTER)),
    ((_QUARTER, -_QUARTER), (-_QUARTER, _QUARTER)),
)
"""How far off a cell's middle, across and down, each taught head looks: in every other layer at two
opposite quarters of the cell, in the next one at the other two.

Of a thing at half its size a cell holds more than one place. While all heads looked at the middle,
what lay between the middles was never seen, and even with every lookup set right half of the pairs
were not recognised.
"""
SHARPENED = 2.0
"""By how much the taught heads' scores grow once they are trained.

A head that hesitates between two places brings the mean of both, which looks like neither; beside
drawings unlike those of training it hesitates most. Made surer, it chooses. Trained so, a denoiser
learns to mix elsewhere: a mean has the smallest error.
"""


class Places:
    """Where the cells of a batch should look, on maps of any size.

    Args:
        layout: `(N, 4, 7)` of `layout_of`.
        forced_share: of rows that are forced, 0 to 1, the same for all or one for each.

    Attributes:
        is_forced: `(N,) bool`, of which rows the taught heads look there whatever they found.
    """

    def __init__(self, layout: torch.Tensor, forced_share: float | torch.Tensor = 0.0) -> None:
        self._layout = layout
        self.is_forced = torch.rand(len(layout), device=layout.device) < forced_share
        self._known: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor]] = {}

    def on(self, num_cells: int, turn: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights `(N, heads, cells, tokens)` and which cells have a place `(N, cells) bool`.

        Args:
            num_cells: of the map.
            turn: 0 or 1, which two quarters of a cell the taught heads look at.
        """
        if (num_cells, turn) not in self._known:
            side = math.isqrt(num_cells)
            found = [attention_targets(self._layout, side, beside) for beside in _BESIDE[turn]]
            weights = torch.stack([weights for weights, _ in found], dim=1)
            self._known[num_cells, turn] = weights, found[0][1]
        return self._known[num_cells, turn]


class TaughtAttention:
    """diffusers' scaled-dot-product cross attention, which keeps the first heads' scores.

    Attributes:
        log_shares: `(N, heads, cells, tokens)`, the logarithm of what each token got last.
        places: where the first heads of forced rows look instead; None forces nothing.
        turn: 0 or 1, at which two quarters of a cell they look.
    """

    log_shares: torch.Tensor
    places: Places | None = None

    def __init__(self, turn: int = 0) -> None:
        self.turn = turn

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
        scores = (query / math.sqrt(key.shape[3])) @ key.transpose(2, 3)
        taught, free = scores.split([NUM_TAUGHT_HEADS, attn.heads - NUM_TAUGHT_HEADS], dim=1)
        self.log_shares = taught.float().log_softmax(dim=-1)
        shares = torch.cat([self._forced(self.log_shares.exp()), free.softmax(dim=-1)], dim=1)
        found = shares.to(value.dtype) @ value
        return attn.to_out[0](found.transpose(1, 2).flatten(2))

    def _forced(self, shares: torch.Tensor) -> torch.Tensor:
        if self.places is None:
            return shares
        wanted, is_known = self.places.on(shares.shape[2], self.turn)
        here = (is_known & self.places.is_forced[:, None])[:, None, :, None]
        return torch.where(here, wanted.to(shares.dtype), shares)


class Lookup:
    """Teaches the cross attention of a denoiser's middle and way up, which know what is where.

    On a CPU all other attention is written out, too: for maps this small its gradient takes half
    as long as that of torch's fused one.
    """

    def __init__(self, unet: Any) -> None:
        if unet.device.type == "cpu":
            unet.set_attn_processor(AttnProcessor())
        self.processors: list[TaughtAttention] = []
        for place, transformer in enumerate(_taught(unet)):
            for depth, block in enumerate(transformer.transformer_blocks):
                self.processors.append(TaughtAttention(turn=(place + depth) % 2))
                cast("Any", block).attn2.set_processor(self.processors[-1])

    def show(self, places: Places) -> None:
        """From now on look at the right places, in the rows that are forced.

        A denoiser that looks at wrong places learns not to trust what it finds, and one that does
        not trust it has no reason to look better.
        """
        for processor in self.processors:
            processor.places = places

    def loss(self) -> torch.Tensor:
        """Mean cross entropy, in nats, of where the last call looked in cells that hold a named
        thing, by the places that were shown."""
        losses = []
        for processor in self.processors:
            assert processor.places is not None, "show places first"
            wanted, is_known = processor.places.on(processor.log_shares.shape[2], processor.turn)
            missed = -(processor.log_shares * wanted).sum(-1).mean(1)  # (N, cells)
            losses.append((missed * is_known).sum() / is_known.sum().clamp(min=1))
        return torch.stack(losses).mean()


@torch.no_grad()
def sharpen(unet: Any, by: float = SHARPENED) -> None:
    """Multiplies the taught heads' scores, in place: what is painted with looks that much surer.

    `1 / SHARPENED` takes it back, without loss where `SHARPENED` is a power of two.
    """
    for transformer in _taught(unet):
        for block in transformer.transformer_blocks:
            attention = cast("Any", block).attn2
            by_head = attention.to_q.weight.unflatten(0, (attention.heads, -1))
            by_head[:NUM_TAUGHT_HEADS] *= by


def _taught(unet: Any) -> Iterator[Transformer2DModel]:
    """Those of the middle and the way up."""
    for name, module in unet.named_modules():
        if isinstance(module, Transformer2DModel) and name.startswith(("mid_block", "up_blocks")):
            yield module
