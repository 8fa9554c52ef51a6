"""What the decoder is shown and judged by, beside true pictures."""

import numpy as np
import pytest
import torch

from training.doodle import backgrounds
from training.doodle.train_decoder import _RIM_PX, coarse, eventful, rim_loss, sheet

SIDE = 64


def test_a_sheet_is_a_whole_picture_and_comes_again_with_its_dice() -> None:
    for seed in range(8):
        picture = sheet(np.random.default_rng(seed))
        assert picture.shape == (256, 256, 3)
        assert picture.dtype == np.uint8
        assert (picture == sheet(np.random.default_rng(seed))).all()


def test_sheets_are_of_any_colour_or_painted() -> None:
    rng = np.random.default_rng(0)
    pictures = [sheet(rng) for _ in range(200)]
    plain = {tuple(p[0, 0].tolist()) for p in pictures if (p == p[0, 0]).all()}
    painted = {p.tobytes() for p in pictures if (p != p[0, 0]).any()}
    palette = set(backgrounds.PLAIN.values())
    assert len(plain - palette) > 50
    assert len(plain & palette) > 1
    assert len(painted) > len(backgrounds.PAINTERS), "horizons differ"


def rim_loss_of_one_pixel(row: int, column: int) -> float:
    painted, target = torch.full((1, 3, SIDE, SIDE), 0.5), torch.full((1, 3, SIDE, SIDE), 0.5)
    painted[..., row, column] = -0.5
    return rim_loss(painted, target).item()


def at_each_edge(depth: int) -> list[float]:
    """The loss of one wrong pixel so far from the upper, lower, left and right edge."""
    far, middle = SIDE - 1 - depth, SIDE // 2
    places = ((depth, middle), (far, middle), (middle, depth), (middle, far))
    return [rim_loss_of_one_pixel(*place) for place in places]


def test_the_rim_counts_equally_at_each_edge_and_nothing_else_does() -> None:
    for depth in (0, _RIM_PX - 1):
        first, *others = at_each_edge(depth)
        assert first > 0
        assert others == pytest.approx([first] * 3)
    assert at_each_edge(_RIM_PX) == [0] * 4
    assert rim_loss_of_one_pixel(SIDE // 2, SIDE // 2) == 0


def test_the_rim_loss_is_the_mean_absolute_error() -> None:
    target = torch.zeros(2, 3, SIDE, SIDE)
    assert rim_loss(target - 0.25, target).item() == pytest.approx(0.25)


def test_the_critic_is_told_means_of_16_by_16_pixels() -> None:
    picture = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(2))
    told = coarse(picture)
    assert told.shape == picture.shape
    means = picture.unflatten(3, (3, 16)).unflatten(2, (2, 16)).mean((3, 5))
    wanted = means.repeat_interleave(16, 2).repeat_interleave(16, 3)
    torch.testing.assert_close(told, wanted)


@pytest.mark.parametrize("value", [-1.0, 0.5, 1.0])
def test_plain_paper_is_not_eventful_up_to_its_edge(value: float) -> None:
    assert eventful(torch.full((1, 3, SIDE, SIDE), value)).sum() == 0


def test_where_something_happens_and_around_it_is_eventful() -> None:
    picture = torch.ones(1, 3, 128, 128)
    picture[..., 60:68, 60:68] = -1
    found = eventful(picture)
    assert found.shape == (1, 1, 128, 128)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert (found[..., 60:68, 60:68] == 1).all()
    assert found[..., :40, :].sum() == 0
    assert found[..., 88:, :].sum() == 0
