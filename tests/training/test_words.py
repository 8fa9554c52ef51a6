"""How near words are to things, and what is asked of a text encoder."""

import math
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F

from training.doodle.canvas import NUM_NUMBERS, NUM_PARTS, Looks
from training.doodle.heads import Heads
from training.doodle.model import NUM_TOKENS, TEXT_WIDTH, WORD_TOKENS
from training.doodle.nearness import likeness_to
from training.doodle.train_text import tell


def test_a_word_is_near_a_thing_by_one_of_its_names_or_by_all() -> None:
    axes = torch.eye(4)
    cat = torch.stack([axes[0], axes[1]])  # names that mean different things
    dog = torch.stack([axes[2], axes[2]])
    likeness = likeness_to(axes, [cat, dog])
    half = float(F.normalize(axes[0] + axes[1], dim=0)[0])
    wanted = [[(half + 1) / 2, 0], [(half + 1) / 2, 0], [0, 1], [0, 0]]
    torch.testing.assert_close(likeness, torch.tensor(wanted))


class PlaceEncoder:
    """Stands in for the text encoder: a state is the number of its place, in every column."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def __call__(self, input_ids: torch.Tensor) -> tuple[torch.Tensor]:
        self.lengths.append(input_ids.shape[1])
        places = torch.arange(input_ids.shape[1], dtype=torch.float32)
        return (places.view(1, -1, 1).expand(len(input_ids), -1, TEXT_WIDTH),)


def test_rows_are_cut_behind_what_they_name_and_keep_their_order() -> None:
    torch.manual_seed(0)
    heads, encoder = Heads(torch.randn(3, 4)), PlaceEncoder()
    looks = cast("Looks", FixedLooks())
    ids = torch.zeros(4, NUM_TOKENS, dtype=torch.long)
    things = [[(0, 0)], [(0, 0), (1, 0)], [(0, 0)] * 4, [(2, 0)]]
    states, shown, like = tell(encoder, heads, looks, ids, things)
    assert states.shape == (4, WORD_TOKENS, TEXT_WIDTH)
    assert (states[:, :, 0] == torch.arange(WORD_TOKENS)).all()
    most = WORD_TOKENS + 3 * NUM_PARTS
    assert set(encoder.lengths) <= {WORD_TOKENS + num * NUM_PARTS for num in (1, 2, 3)}
    assert max(encoder.lengths) == most
    assert shown.isfinite()
    assert like.item() == pytest.approx(math.log(3), abs=0.05), "all canvases are alike"


class FixedLooks:
    def concepts(self) -> torch.Tensor:
        return torch.zeros(3, NUM_PARTS, NUM_NUMBERS)

    def canvases(self, things: list[list[tuple[int, int]]]) -> torch.Tensor:
        return torch.zeros(len(things), 3, NUM_PARTS, NUM_NUMBERS)


def test_canvases_nearest_to_their_own_things_are_told_from_the_others() -> None:
    heads: Any = Heads(torch.randn(3, 4))
    looks: Any = FixedLooks()
    table = torch.randn(3, NUM_PARTS, NUM_NUMBERS)
    looks.concepts = lambda: table
    looks.canvases = lambda things: table[[row[0][0] for row in things]][:, None]
    heads.canvas = torch.nn.Identity()
    hidden = torch.zeros(2, WORD_TOKENS + 2 * NUM_PARTS, NUM_NUMBERS)
    hidden[:, WORD_TOKENS:] = torch.cat([table[1], table[2]])
    right = [[(1, 0), (2, 0)], [(1, 0)]]  # behind what is named lies an empty one
    assert heads.likeness_loss(hidden, looks, right).item() < 0.01
    for wrong in ([[(2, 0), (2, 0)], [(1, 0)]], [[(1, 0), (1, 0)], [(1, 0)]]):
        assert heads.likeness_loss(hidden, looks, wrong).item() > 5
