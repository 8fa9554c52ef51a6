"""A patch critic against blur, and how much of a say it gets.

A regression that cannot know where an edge lies paints it everywhere it may be, softly. A critic
that tells soft from sharp makes it choose (pix2pix, Isola et al. 2017; weighted as in VQGAN, Esser
et al. 2021, but by gradients at the picture, not at the last layer).
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from training.doodle import run

_LR = 4e-4
_ALONE = 150  # steps until its say is whole: an untrained critic knows nothing
_MOST_SAY = 100.0  # where a critic has next to no gradient, what is left of it is noise
_FEATURES_SHARE = 2.0
"""Of features like those of the true picture, beside the score: they keep the choice near the
truth. At 0.5, and with more of a say, small things got halos and a grid of 8 pixels."""


class Judged(NamedTuple):
    """What was painted and should have been, `(N, C, H, W)`; a guide that tells what it should
    show, `(N, D, H, W)`; how much each place counts, `(N, 1, H, W)`: plain paper is soon right."""

    painted: torch.Tensor
    target: torch.Tensor
    guide: torch.Tensor
    where: torch.Tensor


class Critic(nn.Module):
    """Scores patches of what was painted, beside its guide.

    Args:
        channels: of both together.
        widths: of each stage.
        strides: of each stage: a convolution of 3×3 at stride 1, of 4×4 at stride 2.
        bf16: convolve in bf16; weights, scores and features are kept in fp32.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], strides: Sequence[int], bf16: bool = False
    ):
        super().__init__()
        self.bf16 = bf16
        sizes = zip(itertools.pairwise((channels, *widths)), strides, strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.utils.parametrizations.spectral_norm(nn.Conv2d(a, b, 2 + stride, stride, 1)),
                nn.LeakyReLU(0.2),
            )
            for (a, b), stride in sizes
        )
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(
        self, painted: torch.Tensor, guide: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores `(N, 1, h, w)`, above 0 what it holds for true; features of every stage."""
        x, features = torch.cat([painted, guide], dim=1), []
        with run.fast(painted.device, self.bf16):
            for stage in self.stages:
                x = stage(x)
                features.append(x.float())
            return self.score(x).float(), features


class Opponent:
    """A critic that learns beside a painter.

    Args:
        critic: on the painter's device.
        weight: of the critic's gradient at what was painted, where 1 is as much as that of the
            painter's other losses.
    """

    def __init__(self, critic: Critic, weight: float):
        self.critic, self.weight = critic, weight
        self.optimiser = torch.optim.AdamW(critic.parameters(), lr=_LR, betas=(0.5, 0.9))
        self.num_steps = 0

    def objection(self, loss: torch.Tensor, judged: Judged) -> torch.Tensor:
        """What the painter has to lower besides `loss`, its other losses."""
        self.critic.requires_grad_(False)  # it learns from its own loss only
        objected = praise(self.critic, judged)
        self.critic.requires_grad_(True)
        weight = self.weight * min(1.0, self.num_steps / _ALONE)
        return weight * say(loss, objected, judged.painted) * objected

    def learn(self, judged: Judged) -> torch.Tensor:
        """One step of its own; returns its loss before that."""
        loss = hinge(self.critic, judged)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.num_steps += 1
        return loss.detach()

    def state_dict(self) -> dict:
        return {
            "critic": self.critic.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "num_steps": self.num_steps,
        }

    def load_state_dict(self, state: dict) -> None:
        self.critic.load_state_dict(state["critic"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.num_steps = state["num_steps"]


def praise(critic: Critic, judged: Judged) -> torch.Tensor:
    """How far the critic's features are from the true ones, and how little it is taken in."""
    with nn.utils.parametrize.cached():  # both through the same filters
        score, features = critic(judged.painted, judged.guide)
        with torch.no_grad():
            _, wanted = critic(judged.target, judged.guide)
    apart = [
        weighed((a - b).abs().mean(dim=1, keepdim=True), judged.where)
        for a, b in zip(features, wanted, strict=True)
    ]
    return _FEATURES_SHARE * torch.stack(apart).sum() - weighed(score, judged.where)


def hinge(critic: Critic, judged: Judged) -> torch.Tensor:
    """The critic's own loss: 0 if it tells true patches from painted ones, 2 if it guesses."""
    both = torch.cat([judged.target, judged.painted.detach()])
    score, _ = critic(both, torch.cat([judged.guide, judged.guide]))
    real, fake = score.chunk(2)
    return weighed(F.relu(1 - real), judged.where) + weighed(F.relu(1 + fake), judged.where)


def weighed(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Mean of a map `(N, 1, h, w)`, each place as heavy as the part of `where` that it covers."""
    weight = F.adaptive_avg_pool2d(where, (values.shape[-2], values.shape[-1]))
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


def say(loss: torch.Tensor, other: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """The factor that makes the gradient of `other` at `at` as large as that of `loss`."""
    (of_loss,) = torch.autograd.grad(loss, at, retain_graph=True)
    (of_other,) = torch.autograd.grad(other, at, retain_graph=True)
    return (of_loss.norm() / of_other.norm().clamp(min=1e-8)).clamp(max=_MOST_SAY).detach()
