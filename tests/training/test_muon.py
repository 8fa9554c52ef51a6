"""Muon: steps of one size in every direction, by one process or several alike."""

from pathlib import Path

import pytest
import torch

from tests.training.workers import together
from training.doodle import muon
from training.doodle.muon import Muon, optimisers, orthogonalised

SHAPES = [(24, 96), (96, 24), (48, 48)]
SHARED_SHAPES = [(6, 6), (4, 12), (6, 6), (10, 3), (4, 2, 3, 3)]


def skewed(shape: tuple[int, int]) -> torch.Tensor:
    """A matrix whose singular values span two orders of magnitude."""
    left, _, right = torch.linalg.svd(
        torch.randn(shape, generator=torch.Generator().manual_seed(3)), full_matrices=False
    )
    return left @ torch.diag(torch.logspace(0, -1.5, left.shape[1])) @ right


@pytest.mark.parametrize("shape", SHAPES)
def test_all_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    before, after = skewed(shape), orthogonalised(skewed(shape))
    assert torch.linalg.svdvals(before).max() / torch.linalg.svdvals(before).min() > 30
    values = torch.linalg.svdvals(after)
    assert values.min() > 0.6
    assert values.max() < 1.25


def test_singular_vectors_stay() -> None:
    matrix = skewed((32, 32))
    left, _, right = torch.linalg.svd(matrix)
    turned = left.T @ orthogonalised(matrix) @ right.T
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 0.01


def test_a_step_has_the_size_of_an_adam_step() -> None:
    weight = torch.nn.Parameter(torch.zeros(40, 10, 3, 3))
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    Muon([weight], lr=0.01).step()
    assert weight.detach().square().mean().sqrt() == pytest.approx(0.2 * 0.01, rel=0.25)


def test_rare_directions_are_learnt_too() -> None:
    """A linear layer whose inputs have a thousandth of the variance in half of their directions."""
    wanted = torch.randn(16, 16, generator=torch.Generator().manual_seed(7))
    variance = torch.cat([torch.ones(8), torch.full((8,), 1e-3)])

    def left(optimiser_of, steps: int) -> float:
        weight = torch.nn.Parameter(torch.zeros(16, 16))
        optimiser = optimiser_of([weight])
        for _ in range(steps):
            optimiser.zero_grad()
            ((weight - wanted).square() * variance).sum().backward()
            optimiser.step()
        return ((weight.detach() - wanted)[:, 8:].square().mean() / wanted.square().mean()).item()

    assert left(lambda weights: torch.optim.SGD(weights, lr=0.4), 100) > 0.8
    assert left(lambda weights: Muon(weights, lr=0.15), 100) < 0.4


def test_weight_decay_alone_shrinks() -> None:
    weight = torch.nn.Parameter(torch.ones(6, 6))
    weight.grad = torch.zeros_like(weight)
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(weight.detach(), torch.full((6, 6), 0.95))


def test_each_parameter_has_one_optimiser() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.GroupNorm(2, 8), torch.nn.Conv2d(8, 8, 3)
    )
    muon, adam = optimisers(network.named_parameters(), 1e-3, outer=("0",))
    inside = [p for group in muon.param_groups for p in group["params"]]
    others = [p for group in adam.param_groups for p in group["params"]]
    assert [id(p) for p in inside] == [id(network[2].weight)]
    assert {id(p) for p in inside + others} == {id(p) for p in network.parameters()}
    assert len(inside + others) == len(list(network.parameters()))


def test_state_survives_a_checkpoint() -> None:
    def trained(stop_at: int | None) -> torch.Tensor:
        weight = torch.nn.Parameter(torch.zeros(5, 7))
        optimiser = Muon([weight], lr=0.1)
        for step in range(4):
            if step == stop_at:
                state = optimiser.state_dict()
                optimiser = Muon([weight], lr=0.1)
                optimiser.load_state_dict(state)
            weight.grad = torch.randn(5, 7, generator=torch.Generator().manual_seed(step))
            optimiser.step()
        return weight.detach()

    torch.testing.assert_close(trained(None), trained(2), rtol=0, atol=0)


def some_steps(_rank: int = 0) -> tuple[list[torch.Tensor], int]:
    """Parameters after three steps, and how many steps of matrices were worked out here."""
    dice, done = torch.Generator().manual_seed(11), 0

    def counted(matrix: torch.Tensor) -> torch.Tensor:
        nonlocal done
        done += 1
        return orthogonalised(matrix)

    parameters = [torch.nn.Parameter(torch.randn(s, generator=dice)) for s in SHARED_SHAPES]
    optimiser = Muon(parameters, lr=0.1, weight_decay=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(muon, "orthogonalised", counted)
        for _ in range(3):
            for parameter in parameters:
                parameter.grad = torch.randn(parameter.shape, generator=dice)
            optimiser.step()
    return [parameter.detach() for parameter in parameters], done


def test_several_processes_share_the_work_and_agree_with_one(tmp_path: Path) -> None:
    alone, num_steps = some_steps()
    (first, num_first), (second, num_second) = together(some_steps, tmp_path)
    torch.testing.assert_close(first, alone)
    torch.testing.assert_close(second, first, rtol=0, atol=0)
    assert num_first + num_second == num_steps == 3 * len(SHARED_SHAPES)
    assert min(num_first, num_second) > 0
