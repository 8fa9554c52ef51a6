"""The critic: what it learns, and how much of a say it gets."""

import copy

import pytest
import torch
import torch.nn.functional as F

from training.doodle.critic import Critic, Judged, Opponent, hinge, praise, say, weighed


def critic(bf16: bool = False) -> Critic:
    torch.manual_seed(3)
    return Critic(4, widths=(8, 16), strides=(1, 2), bf16=bf16)


def judged(seed: int = 0, num: int = 6) -> Judged:
    """Stripes, and what was painted instead: their blur. The guide is grey."""
    dice = torch.Generator().manual_seed(seed)
    target = (torch.rand(num, 2, 1, 16, generator=dice) > 0.5).float().expand(-1, -1, 16, -1)
    painted = F.avg_pool2d(target, 5, 1, 2).clone().requires_grad_(True)
    return Judged(painted, target, torch.zeros(num, 2, 16, 16), torch.ones(num, 1, 16, 16))


def test_scores_and_features_are_as_large_as_the_strides_say() -> None:
    score, features = critic()(torch.zeros(2, 2, 16, 16), torch.zeros(2, 2, 16, 16))
    assert score.shape == (2, 1, 8, 8)
    assert [tuple(each.shape[1:]) for each in features] == [(8, 16, 16), (16, 8, 8)]


def test_in_bf16_it_says_nearly_the_same_and_in_fp32() -> None:
    judgements = [critic(bf16)(*judged()[::2]) for bf16 in (False, True)]
    (score, features), (fast_score, fast_features) = judgements
    for exact, fast in zip((score, *features), (fast_score, *fast_features), strict=True):
        assert fast.dtype == torch.float32
        assert not torch.equal(fast, exact)
        torch.testing.assert_close(fast, exact, rtol=0.02, atol=0.02)


def test_in_bf16_the_painter_and_the_critic_learn_nearly_the_same() -> None:
    found = []
    for bf16 in (False, True):
        opponent, case = Opponent(critic(bf16), weight=1.0), judged(7)
        for seed in range(160):
            opponent.learn(judged(seed))
        loss = F.mse_loss(case.painted, case.target)
        (gradient,) = torch.autograd.grad(opponent.objection(loss, case), case.painted)
        parameters = list(opponent.critic.parameters())
        assert all(p.dtype == torch.float32 and p.isfinite().all() for p in parameters)
        found.append((hinge(opponent.critic, judged(99)).item(), gradient))
    (exact_loss, exact), (fast_loss, fast) = found
    assert fast_loss == pytest.approx(exact_loss, rel=0.1)
    assert fast.dtype == torch.float32
    assert F.cosine_similarity(exact.flatten(), fast.flatten(), dim=0) > 0.9


def test_it_learns_to_tell_sharp_from_soft() -> None:
    opponent = Opponent(critic(), weight=1.0)
    before = hinge(opponent.critic, judged(99)).item()
    for seed in range(120):
        opponent.learn(judged(seed))
    assert hinge(opponent.critic, judged(99)).item() < 0.6 * before


def contrast_after_a_step(opponent: Opponent | None) -> float:
    """Of a picture after one step against the squared error, and against a critic, if any."""
    case = judged(7)
    loss = F.mse_loss(case.painted, case.target)
    objection = opponent.objection(loss, case) if opponent else 0.0
    (gradient,) = torch.autograd.grad(loss + objection, case.painted)
    moved = case.painted.detach() - 2 * gradient
    return (moved[..., 1:] - moved[..., :-1]).abs().mean().item()


def test_a_painter_that_listens_paints_sharper() -> None:
    opponent = Opponent(critic(), weight=1.0)
    for seed in range(160):
        opponent.learn(judged(seed))
    case = judged(7)
    before = (case.painted[..., 1:] - case.painted[..., :-1]).abs().mean().item()
    gains = [contrast_after_a_step(each) - before for each in (opponent, None)]
    assert gains[0] > 2 * gains[1] > 0


def test_the_say_makes_both_gradients_as_large_as_each_other() -> None:
    at = torch.tensor([1.0, 2.0], requires_grad=True)
    loss, other = 3 * at.sum(), at.square().sum()
    factor = say(loss, other, at)
    assert not factor.requires_grad
    (own,), (scaled,) = (torch.autograd.grad(each, at) for each in (loss, factor * other))
    assert scaled.norm().item() == pytest.approx(own.norm().item())


def test_next_to_no_gradient_is_not_blown_up() -> None:
    at = torch.tensor([1.0, 2.0], requires_grad=True)
    assert say(at.sum(), 1e-9 * at.sum(), at).item() == pytest.approx(100)


def test_a_critic_that_has_learnt_nothing_says_nothing() -> None:
    opponent, case = Opponent(critic(), weight=1.0), judged()
    loss = F.mse_loss(case.painted, case.target)
    assert opponent.objection(loss, case).item() == 0
    for _ in range(2):
        opponent.learn(case)
    assert opponent.objection(loss, case).item() != 0


def test_the_true_picture_differs_in_no_feature() -> None:
    case = judged()
    network = critic()
    true = case._replace(painted=case.target)
    found = praise(network, true).item()
    network.eval()  # what spectral norms were found stays
    score, _ = network(case.target, case.guide)
    assert found == pytest.approx(-score.mean().item(), abs=1e-6)


def test_places_without_weight_do_not_count() -> None:
    values = torch.zeros(1, 1, 4, 4)
    values[..., :2] = 5.0
    where = torch.zeros(1, 1, 8, 8)
    where[..., 4:] = 1.0
    assert weighed(values, where).item() == 0
    where[..., :4] = 0.5
    assert weighed(values, where).item() == pytest.approx(5 * 0.5 / 1.5)
    assert weighed(values, torch.zeros_like(where)).item() == 0


def test_the_critic_is_not_taught_by_its_objection() -> None:
    case, opponent = judged(), Opponent(critic(), weight=1.0)
    opponent.learn(case)
    opponent.optimiser.zero_grad()
    opponent.objection(F.mse_loss(case.painted, case.target), case).backward()
    assert case.painted.grad is not None
    parameters = list(opponent.critic.parameters())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in parameters)


def test_the_painter_is_not_taught_by_the_critics_own_step() -> None:
    case, opponent = judged(), Opponent(critic(), weight=1.0)
    opponent.learn(case)
    assert case.painted.grad is None


def test_it_goes_on_where_it_stopped() -> None:
    first, again = Opponent(critic(), weight=1.0), Opponent(critic(), weight=1.0)
    for seed in range(3):
        first.learn(judged(seed))
    again.load_state_dict(copy.deepcopy(first.state_dict()))
    assert again.num_steps == 3
    assert first.learn(judged(5)).item() == pytest.approx(again.learn(judged(5)).item())
    for one, other in zip(first.critic.parameters(), again.critic.parameters(), strict=True):
        torch.testing.assert_close(one, other)
