"""How near words are to things, and what is asked of a text encoder."""

import copy
import math
from argparse import Namespace
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import CLIPTokenizer

from tests.training.things import concepts
from training.doodle.canvas import NUM_NUMBERS, NUM_PARTS, Looks
from training.doodle.export import FOLDER
from training.doodle.heads import Heads
from training.doodle.model import NUM_TOKENS, TEXT_WIDTH, WORD_TOKENS, build_text_encoder
from training.doodle.nearness import Words, likeness_to, name_things
from training.doodle.nouns import plural
from training.doodle.train_text import (
    anchored,
    caption_loss,
    closing_loss,
    keep,
    losses,
    resume,
    tell,
)
from training.doodle.words import NounCaption, sample_caption


def test_a_word_is_near_a_thing_by_one_of_its_names_or_by_all() -> None:
    axes = torch.eye(4)
    cat = torch.stack([axes[0], axes[1]])  # names that mean different things
    dog = torch.stack([axes[2], axes[2]])
    likeness = likeness_to(axes, [cat, dog])
    half = float(F.normalize(axes[0] + axes[1], dim=0)[0])
    wanted = [[(half + 1) / 2, 0], [(half + 1) / 2, 0], [0, 1], [0, 0]]
    torch.testing.assert_close(likeness, torch.tensor(wanted))


def test_what_captions_say_of_anything_else_names_no_thing_unless_it_is_a_name() -> None:
    said = ["sunset", "cute", "left", "cat", "Orange", "two cats"]
    assert name_things(said, [["cat"], ["orange", "fruit"]]).tolist() == [
        *(False, False, False),
        *(True, True, True),
    ]


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


@pytest.fixture(scope="module")
def sampled() -> list[NounCaption]:
    tokenizer = CLIPTokenizer.from_pretrained(FOLDER / "tokenizer")
    dice = np.random.default_rng(0)
    return [sample_caption(dice, concepts(), tokenizer) for _ in range(600)]


def test_each_noun_ends_where_it_is_said(sampled: list[NounCaption]) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(FOLDER / "tokenizer")
    texts = []
    for caption in sampled:
        assert len(caption.ids) == NUM_TOKENS
        assert len(caption.ends) == len(caption.concepts) == len(caption.colours)
        assert set(caption.ids[caption.num_tokens :]) == {tokenizer.eos_token_id}
        before = 0
        for end, concept in zip(caption.ends, caption.concepts, strict=True):
            said = tokenizer.decode(caption.ids[before : end + 1])
            assert isinstance(said, str)
            names = (concepts()[concept].name, *concepts()[concept].synonyms)
            forms = [form for name in names for form in (name, plural(name))]
            assert said.strip().endswith(tuple(forms)), said
            before = end + 1
        texts.append(str(tokenizer.decode(caption.ids[1 : caption.num_tokens])))
    assert any("two " in text for text in texts)
    assert any("on the left" in text for text in texts)


def test_captions_of_the_text_stage_hold_likely_names() -> None:
    tokenizer = CLIPTokenizer.from_pretrained(FOLDER / "tokenizer")
    some, dice = concepts(), np.random.default_rng(0)
    for concept in some:
        concept.likely_names = ("lumber",)
    found = [sample_caption(dice, some, tokenizer) for _ in range(200)]
    said = [str(tokenizer.decode(caption.ids[1 : caption.num_tokens])) for caption in found]
    assert 20 < sum("lumber" in text for text in said) < 120


def test_some_captions_are_backgrounds_alone_and_some_run_into_the_canvases(
    sampled: list[NounCaption],
) -> None:
    empty = [caption for caption in sampled if not caption.concepts]
    assert 5 < len(empty) < 60
    assert all(caption.background > 0 for caption in empty)
    assert sum(caption.num_tokens > WORD_TOKENS for caption in sampled) > 5


def test_losses_take_captions_without_a_thing(sampled: list[NounCaption]) -> None:
    torch.manual_seed(0)
    heads: Any = Heads(torch.randn(len(concepts()), 4))
    empty = next(caption for caption in sampled if not caption.concepts)
    full = next(caption for caption in sampled if len(caption.concepts) == 2)
    hidden = torch.randn(2, WORD_TOKENS, TEXT_WIDTH)
    assert closing_loss(hidden, [empty, full], heads).isfinite()
    assert caption_loss(hidden, [empty, full], heads).isfinite()
    looks: Any = FixedLooks()
    ids = torch.tensor([empty.ids, empty.ids])
    _, shown, like = tell(PlaceEncoder(), heads, looks, ids, [[], []])
    assert shown.isfinite(), "its canvas has to be empty paper"
    assert like == 0


def test_a_stopped_run_goes_on_with_the_encoder_that_it_is_anchored_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder, heads = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    both: list[torch.optim.Optimizer] = [torch.optim.SGD(encoder.parameters(), lr=0.1)]
    began = anchored(None, encoder).weight.clone()
    saved: dict = {}
    monkeypatch.setattr("training.doodle.run.save", lambda name, state: saved.update(state))
    anchor = anchored(None, encoder)
    with torch.no_grad():
        encoder.weight.add_(1)
    keep(encoder, cast("Any", heads), both, 500, anchor)
    assert resume(saved, encoder, cast("Any", heads), both) == (500, 0)
    torch.testing.assert_close(anchored(saved, encoder).weight, began)
    saved.clear()
    keep(encoder, cast("Any", heads), both, 1000, None)
    torch.testing.assert_close(anchored(saved, encoder).weight, began + 1)


class SomeWords:
    """Four words on the CPU, each of one token."""

    def __init__(self) -> None:
        ids = torch.full((4, NUM_TOKENS), 1)
        ids[:, 0], ids[:, 1] = 0, torch.arange(2, 6)
        self.short_ids, self.long_ids = ids[:, :8], ids
        self.nearest = torch.rand(4, len(concepts())).softmax(-1)
        self.meanings = torch.randn(4, 4)

    def pick(self, num: int) -> torch.Tensor:
        return torch.arange(num) % 4

    pick_known = pick


def test_networks_may_lie_on_another_device_than_words_and_captions(
    sampled: list[NounCaption], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On "meta" nothing is computed, yet most operations across devices fail as on a GPU."""
    entropy = F.cross_entropy

    def on_one_device(logits: torch.Tensor, wanted: torch.Tensor, **how: Any) -> torch.Tensor:
        assert logits.device == wanted.device
        return entropy(logits, wanted, **how)

    encoder = build_text_encoder(6144, 0, 1).to("meta")
    heads = Heads(torch.randn(len(concepts()), 4)).to("meta")
    looks: Any = Looks.__new__(Looks)
    looks.rows = {(concept.index, None): 1 + concept.index for concept in concepts()}
    looks.table = torch.zeros(1 + len(concepts()), NUM_PARTS, NUM_NUMBERS, device="meta")
    args = Namespace(batch_size=4, words_with_canvas=2)
    words = cast("Words", SomeWords())
    monkeypatch.setattr(F, "cross_entropy", on_one_device)
    found = losses(encoder, heads, looks, words, sampled[:5], args, copy.deepcopy(encoder))
    assert {each.device.type for each in found.values()} == {"meta"}
    sum(found.values(), torch.zeros((), device="meta")).backward()
