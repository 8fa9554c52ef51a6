"""Which pairs a round of the denoiser's training holds, and how much noise they get."""

import torch

from training.doodle.noise import FIRST_TIMESTEP, LAST_SKETCHED, noised, sample_timesteps
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
