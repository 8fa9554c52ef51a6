"""What things look like, part by part: the tables that the text encoder is taught."""

import pytest
import torch

from tests.training.things import concepts
from training.doodle.canvas import NUM_NUMBERS, NUM_PARTS, Looks
from training.doodle.data import COLOURS
from training.doodle.model import NUM_CANVASES, build_autoencoder

APPLE, BEE, CAT = 0, 1, 2


@pytest.fixture(scope="module")
def looks() -> Looks:
    torch.manual_seed(1)
    return Looks(concepts(), build_autoencoder().eval())


def test_a_look_tells_things_and_colours_apart(looks: Looks) -> None:
    blue = 1 + tuple(COLOURS).index("blue")
    apple, bee, cat = (looks.table[looks.row(each, 0)] for each in (APPLE, BEE, CAT))
    assert torch.allclose(apple, cat, atol=1e-4), "both are the same ball"
    assert (apple - bee).square().mean() > 0.01
    assert (apple - looks.table[looks.row(APPLE, blue)]).square().mean() > 0.01
    assert looks.explained > 0.9


def test_canvases_follow_the_order_of_naming_and_end_in_paper(looks: Looks) -> None:
    things = [[(APPLE, 0), (BEE, 0)], [(BEE, 0)], [(APPLE, 0)] * 4]
    canvases = looks.canvases(things)
    assert canvases.shape == (3, NUM_CANVASES, NUM_PARTS, NUM_NUMBERS)
    paper = looks.table[0]
    assert torch.equal(canvases[0, 0], looks.table[looks.row(APPLE, 0)])
    assert torch.equal(canvases[0, 1], canvases[1, 0])
    assert torch.equal(canvases[0, 2], paper)
    assert torch.equal(canvases[2, 2], canvases[2, 0]), "a fourth thing has no canvas"


def test_the_numbers_are_the_same_in_every_run(looks: Looks) -> None:
    torch.manual_seed(1)
    vae = build_autoencoder().eval()
    torch.manual_seed(99)
    again = Looks(concepts(), vae)
    assert torch.allclose(again.table, looks.table, atol=1e-3)
