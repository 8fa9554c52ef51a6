"""Which pairs a round of the denoiser's training holds, and how much noise they get."""

import torch

from training.doodle.nearness import Words
from training.doodle.noise import (
    FIRST_TIMESTEP,
    FREE_TIMESTEP,
    LAST_SKETCHED,
    noised,
    sample_timesteps,
)
from training.doodle.train_unet import mixed


def test_a_round_holds_all_sketches_and_so_much_text() -> None:
    torch.manual_seed(0)
    canonical = torch.arange(1000) < 400
    rows = mixed(canonical, 0.25)
    assert sorted(rows[~canonical[rows]].tolist()) == list(range(400, 1000))
    text = rows[canonical[rows]].tolist()
    assert len(text) == len(set(text)) == 200
    assert len(mixed(canonical, 0.9)) == 1000, "there is no more text than that"
    assert rows.tolist() != sorted(rows.tolist())


def test_sketches_keep_to_the_timesteps_where_they_can_be_seen() -> None:
    torch.manual_seed(0)
    canonical = torch.arange(4000) < 2000
    timesteps = sample_timesteps(canonical)
    sketched, text = timesteps[~canonical], timesteps[canonical]
    assert sketched.min() >= FIRST_TIMESTEP
    assert sketched.max() <= LAST_SKETCHED
    assert 0.4 < (text == 999).float().mean() < 0.5


def test_a_sketch_lies_under_its_noise() -> None:
    torch.manual_seed(0)
    sketches, canonical = torch.randn(3, 32, 16, 16), torch.zeros(3, dtype=torch.bool)
    still = noised(sketches, canonical, torch.full((3,), 599), torch.zeros(3))
    torch.testing.assert_close(still, sketches)
    lost = noised(sketches, canonical, torch.full((3,), 599), torch.full((3,), 100.0))
    assert abs(torch.corrcoef(torch.stack([lost.flatten(), sketches.flatten()]))[0, 1]) < 0.05
    assert 0.9 < lost.std() < 1.1


def test_text_at_full_noise_may_lie_over_any_board_or_none() -> None:
    torch.manual_seed(0)
    num = 600
    boards = torch.arange(1, num + 1).float().view(num, 1, 1, 1).expand(num, 1, 2, 2)
    canonical, late = torch.ones(num, dtype=torch.bool), torch.full((num,), FREE_TIMESTEP)
    under = noised(boards, canonical, late, torch.zeros(num))[:, 0, 0, 0]
    own, none = under == boards[:, 0, 0, 0], under == 0
    assert 0.25 < own.float().mean() < 0.36
    assert 0.34 < none.float().mean() < 0.46
    assert set(under[~none].int().tolist()) <= set(range(1, num + 1))
    early = noised(boards, canonical, late - 1, torch.zeros(num))
    torch.testing.assert_close(early, boards)


def test_words_are_picked_as_often_as_the_teacher_is_sure_and_people_write_them() -> None:
    torch.manual_seed(0)
    words = Words.__new__(Words)  # without the sources, which are a download
    words.nearest = torch.tensor([[0.0, 0.0], [0.1, 0.1], [0.9, 0.1], [0.9, 0.1]]).repeat(100, 1)
    words.common = torch.tensor([1.0, 1.0, 1.0, 0.1]).repeat(100)
    words.names_thing = torch.ones(400, dtype=torch.bool)
    kinds = torch.stack([torch.bincount(words.pick_known(20) % 4, minlength=4) for _ in range(99)])
    kinds = kinds.sum(0)
    assert kinds[0] == 0
    assert kinds[2] > kinds[3] > 0
    assert 2 < kinds[2] / kinds[1] < 4.5, "3 by the root; 9 would be as sure as the teacher is"
    words.names_thing[2::4] = False
    assert not (words.pick_known(100) % 4 == 2).any(), "captions say it of something else"
