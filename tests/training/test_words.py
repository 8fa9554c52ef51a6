"""How near words are to things."""

import torch
import torch.nn.functional as F

from training.doodle.train_text import likeness_to


def test_a_word_is_near_a_thing_by_one_of_its_names_or_by_all() -> None:
    axes = torch.eye(4)
    cat = torch.stack([axes[0], axes[1]])  # names that mean different things
    dog = torch.stack([axes[2], axes[2]])
    likeness = likeness_to(axes, [cat, dog])
    half = float(F.normalize(axes[0] + axes[1], dim=0)[0])
    wanted = [[(half + 1) / 2, 0], [(half + 1) / 2, 0], [0, 1], [0, 0]]
    torch.testing.assert_close(likeness, torch.tensor(wanted))
