"""Several workers train one denoiser: each has the mean of all their gradients."""

from pathlib import Path

import torch

from tests.training.workers import NUM, together
from training.doodle.train_unet import average_gradients


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
