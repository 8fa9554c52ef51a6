"""What the denoiser is scored by; and several workers train one: each has the mean of all their
gradients."""

from argparse import Namespace
from pathlib import Path

import pytest
import torch

from tests.training.workers import NUM, together
from training.doodle.train_unet import average_gradients, forced_share, latent_loss


def gradients(rank: int) -> list[torch.Tensor]:
    """What a worker found by itself: of a kernel and of a matrix."""
    dice = torch.Generator().manual_seed(rank)
    return [torch.randn(shape, generator=dice) for shape in ((3, 2, 2, 2), (4, 5))]


def averaged(rank: int) -> list[torch.Tensor | None]:
    """The gradients after it; the one in the middle is of a parameter that is not trained."""
    kernel, matrix = (torch.nn.Parameter(torch.zeros_like(g)) for g in gradients(rank))
    kernel.grad, matrix.grad = gradients(rank)
    kernel.grad = kernel.grad.contiguous(memory_format=torch.channels_last)
    frozen = torch.nn.Parameter(torch.zeros(7), requires_grad=False)
    network = torch.nn.ParameterList([kernel, frozen, matrix])
    average_gradients(network)
    return [parameter.grad for parameter in network]


def test_each_worker_gets_the_mean_of_all_gradients(tmp_path: Path) -> None:
    kernel, matrix = (
        torch.stack(each).mean(0) for each in zip(*map(gradients, range(NUM)), strict=True)
    )
    for found in together(averaged, tmp_path):
        torch.testing.assert_close(found[0], kernel, check_stride=False)
        assert found[1] is None
        torch.testing.assert_close(found[2], matrix)


def test_what_is_not_paper_counts_more() -> None:
    blank, target = torch.zeros(1, 32, 16, 16), torch.zeros(1, 32, 16, 16)
    target[..., :4, :4] = 2.0
    missed_thing, missed_paper = target.clone(), target.clone()
    missed_thing[..., 0, 0] += 0.5
    missed_paper[..., 9, 9] += 0.5
    assert latent_loss(target, target, blank) == 0
    thing, paper = (latent_loss(each, target, blank) for each in (missed_thing, missed_paper))
    assert thing > 4 * paper > 0


def test_a_picture_of_a_small_thing_counts_as_much_as_any_other() -> None:
    """A batch's loss is the mean of its pictures' own, however much paper each shows."""
    blank, target = torch.zeros(1, 32, 16, 16), torch.zeros(2, 32, 16, 16)
    target[0, :, :2, :2] = target[1, :, :12, :12] = 2.0
    predicted = target + 0.5 * (target > 0)
    both = latent_loss(predicted, target, blank)
    small, large = (latent_loss(predicted[i : i + 1], target[i : i + 1], blank) for i in range(2))
    torch.testing.assert_close(both, (small + large) / 2)


def test_lookups_are_forced_more_and_more_seldom_down_to_the_last_share() -> None:
    args = Namespace(steps=200, forced=0.6, forced_end=0.1)
    assert [forced_share(step, args) for step in (0, 100, 200)] == pytest.approx([0.6, 0.35, 0.1])
