"""Text states of even variance for the denoiser's cross attention, while it trains.

What tells things apart at one place of a canvas has 50 times less variance in its sixtieth
direction than in its first, and gradient descent learns a direction at the pace of its variance:
colours at once, outlines last. So keys and values are read from whitened states. The matrix that
whitens is folded into their weights when these are saved; nothing of it is left in the model.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

_RIDGE = 0.01
"""Of the mean variance, added to each: directions that hold nothing are not blown up."""
_LAYERS = ("attn2.to_k", "attn2.to_v")


class Whitened(nn.Module):
    """A linear layer without bias whose weights see whitened inputs; the same function at first."""

    matrix: torch.Tensor

    def __init__(self, layer: nn.Linear, matrix: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach() @ torch.linalg.inv(matrix))
        self.register_buffer("matrix", matrix, persistent=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return F.linear(states @ self.matrix, self.weight)


def whitening_of(states: torch.Tensor) -> torch.Tensor:
    """The symmetric `(D, D)` matrix that gives `(N, D)` states unit mean squares, uncorrelated."""
    moments = states.T @ states / len(states)
    values, axes = torch.linalg.eigh(moments)
    return axes @ torch.diag((values + _RIDGE * values.mean()).rsqrt()) @ axes.T


def whiten(unet: Any, matrix: torch.Tensor) -> None:
    """Puts `Whitened` in place of the layers that make keys and values of the text."""
    for name in [name for name, _ in unet.named_modules() if name.endswith(_LAYERS)]:
        parent = unet.get_submodule(name.rpartition(".")[0])
        last = name.rpartition(".")[2]
        setattr(parent, last, Whitened(getattr(parent, last), matrix))


def folded(unet: Any, matrix: torch.Tensor) -> dict[str, torch.Tensor]:
    """The weights of a whitened denoiser, as an ordinary one has them."""
    keys = tuple(f"{layer}.weight" for layer in _LAYERS)
    return {
        key: value @ matrix if key.endswith(keys) else value
        for key, value in unet.state_dict().items()
    }
