"""Steps of one size in every direction of a weight matrix.

Muon (Jordan et al. 2024): the momentum of each matrix is replaced by the nearest matrix whose
singular values are all near 1. Gradient descent, and Adam with it, learns what has much variance
first, colours before outlines; here rare directions are learnt as fast as common ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.distributed

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic a x + b x³ + c x⁵, which takes singular values from 0.01 to 1 to 0.7 to 1.2 in
five rounds."""
_ROUNDS = 5
_DECAY = 1e-2
_ADAM_SIZE = 0.2
"""Root mean square of an AdamW step over its rate, which ours are scaled to (Liu et al. 2025)."""


def optimisers(
    parameters: Iterable[tuple[str, torch.nn.Parameter]], lr: float, outer: tuple[str, ...]
) -> list[torch.optim.Optimizer]:
    """Muon for matrices between the features of two layers, AdamW for all else.

    Args:
        parameters: with their names.
        lr: of both.
        outer: how the names of matrices begin that meet inputs, outputs or words.
    """
    inside, others = [], []
    for name, parameter in parameters:
        is_inside = parameter.ndim > 1 and not name.startswith(outer)
        (inside if is_inside else others).append(parameter)
    return [
        Muon(inside, lr, weight_decay=_DECAY),
        torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.98), weight_decay=_DECAY),
    ]


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """A matrix `(M, N) float` with its singular vectors and singular values near 1.

    Newton-Schulz rounds on the smaller Gram matrix: all of them are polynomials of it, so the long
    side is met only twice.
    """
    rows, columns = matrix.shape
    wide = matrix if rows <= columns else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    gram = wide @ wide.T
    a, b, c = _COEFFICIENTS
    total = None
    for _ in range(_ROUNDS):
        factor = b * gram + c * (gram @ gram)
        factor.diagonal().add_(a)
        total = factor if total is None else factor @ total
        gram = factor @ (factor @ gram)
    assert total is not None
    wide = total @ wide
    return wide if rows <= columns else wide.T


class Muon(torch.optim.Optimizer):
    """Muon for matrices and kernels, which count as `(out, everything else)`.

    Where several processes train one network they must hold the same gradients; each then works out
    a share of the steps.

    Args:
        parameters: of two dimensions or more.
        lr: as for AdamW: steps have the same root mean square.
        momentum: share of the last steps' momentum, Nesterov's.
        weight_decay: decoupled, as AdamW's.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Change every parameter that has a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            wanted = [self._momentum(p, group["momentum"]).flatten(1) for p in parameters]
            for parameter, step in zip(parameters, _shared(wanted), strict=True):
                size = _ADAM_SIZE * math.sqrt(max(step.shape))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(step.view_as(parameter), alpha=-group["lr"] * size)

    def _momentum(self, parameter: torch.nn.Parameter, decay: float) -> torch.Tensor:
        assert parameter.grad is not None
        state, gradient = self.state[parameter], parameter.grad.contiguous()
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient)
        state["momentum"].lerp_(gradient, 1 - decay)
        return gradient.lerp(state["momentum"], decay)


def _shared(matrices: list[torch.Tensor]) -> list[torch.Tensor]:
    """All of them orthogonalised, each by one of the processes."""
    if not torch.distributed.is_initialized():
        return [orthogonalised(matrix) for matrix in matrices]
    world, rank = torch.distributed.get_world_size(), torch.distributed.get_rank()
    load, mine = [0] * world, []
    for matrix in sorted(matrices, key=_work, reverse=True):  # the same order everywhere
        least = load.index(min(load))
        load[least] += _work(matrix)
        if least == rank:
            mine.append(id(matrix))
    done = [orthogonalised(m) if id(m) in mine else torch.zeros_like(m) for m in matrices]
    flat = torch.cat([matrix.reshape(-1) for matrix in done])
    torch.distributed.all_reduce(flat)
    parts = flat.split([matrix.numel() for matrix in matrices])
    return [part.view_as(matrix) for part, matrix in zip(parts, matrices, strict=True)]


def _work(matrix: torch.Tensor) -> int:
    """Multiplications of `orthogonalised`, about."""
    short, long = min(matrix.shape), max(matrix.shape)
    return 2 * short**2 * long + 17 * short**3
