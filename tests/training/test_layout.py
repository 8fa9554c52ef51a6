"""Each cell of a picture knows the place on a canvas that tells what is there."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0

from tests.training.things import concepts
from training.doodle import pool
from training.doodle.canvas import CANVAS_PX
from training.doodle.data import LABEL_PX
from training.doodle.layout import attention_targets, layout_of
from training.doodle.lookup import NUM_TAUGHT_HEADS, Lookup, Places, TaughtAttention, sharpen
from training.doodle.model import CANVAS_SIDE, NUM_TOKENS, TEXT_WIDTH, WORD_TOKENS, build_unet
from training.doodle.scenes import WHITE, Bend, Placed, Scene
from training.doodle.vague import Vague

APPLE, BEE, *_ = concepts()
PLACES = CANVAS_SIDE**2


def targets(*objects: Placed, nouns: tuple[int, ...], side: int = 8) -> tuple[np.ndarray, ...]:
    scene = Scene(objects, WHITE, "", nouns=nouns)
    weights, is_known = attention_targets(torch.from_numpy(layout_of(scene))[None], side)
    return weights[0].view(side, side, NUM_TOKENS).numpy(), is_known[0].view(side, side).numpy()


def test_a_thing_as_large_as_its_canvas_is_looked_up_place_by_place() -> None:
    weights, is_known = targets(Placed(APPLE, 128, 128, CANVAS_PX), nouns=(0,), side=CANVAS_SIDE)
    inner = slice(1, -1)  # the outermost cells' middles lie on its rim
    assert is_known[inner, inner].all()
    wanted = np.eye(PLACES, dtype=np.float32).reshape(CANVAS_SIDE, CANVAS_SIDE, PLACES)
    found = weights[inner, inner, WORD_TOKENS : WORD_TOKENS + PLACES]
    np.testing.assert_allclose(found, wanted[inner, inner], atol=1e-5)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


def test_a_mirrored_thing_is_looked_up_mirrored() -> None:
    plain, _ = targets(Placed(APPLE, 120, 140, 180), nouns=(0,))
    mirrored, _ = targets(Placed(APPLE, 256 - 120, 140, 180, is_flipped=True), nouns=(0,))
    np.testing.assert_allclose(mirrored[:, ::-1], plain, atol=1e-4)


def test_taught_heads_look_at_the_four_quarters_of_a_cell() -> None:
    scene = Scene((Placed(APPLE, 120, 140, 100),), WHITE, "", nouns=(0,))
    layout = torch.from_numpy(layout_of(scene))[None]
    places = Places(layout)
    heads = torch.cat([places.on(64, turn)[0][0] for turn in (0, 1)])
    is_known = places.on(64, 0)[1][0].view(8, 8)
    fine, _ = attention_targets(layout, 16)  # its cells' middles are the quarters of the coarse map
    fine = fine[0].view(8, 2, 8, 2, NUM_TOKENS)
    quarters = [fine[:, down, :, across] for down, across in ((0, 0), (1, 1), (0, 1), (1, 0))]
    assert is_known[4, 3]
    for head, quarter in zip(heads.view(4, 8, 8, NUM_TOKENS), quarters, strict=True):
        torch.testing.assert_close(head[4, 3], quarter[4, 3])


def test_layers_take_turns_at_the_quarters() -> None:
    """So do the two of one transformer: a cell of the finest map is seen whole by each."""
    assert [each.turn for each in Lookup(build_unet()).processors] == [0, 1, 0, 1, 1, 0, 0, 1, 1]


def test_the_front_thing_counts_and_paper_has_no_place() -> None:
    back, front = Placed(APPLE, 100, 128, 120), Placed(BEE, 140, 128, 120)
    weights, is_known = targets(back, front, nouns=(1, 0))
    of_apple = weights[..., WORD_TOKENS + PLACES : WORD_TOKENS + 2 * PLACES].sum(-1)
    assert of_apple[4, 2] == pytest.approx(1)
    assert of_apple[4, 3] == pytest.approx(0), "the bee lies over it"
    assert not is_known[0, 0]
    assert not is_known[:, 7].any()


def test_a_picture_that_follows_a_hand_is_looked_up_where_the_hand_drew() -> None:
    placed = Placed(APPLE, 128, 128, 120)
    drawn = Placed(APPLE, 140, 118, 132)
    still = np.zeros((LABEL_PX, LABEL_PX), np.float32)
    bend = Bend(drawn.matrix(LABEL_PX), (still, still))
    followed = layout_of(Scene((placed,), WHITE, "", nouns=(0,)), [bend])
    wanted = layout_of(Scene((drawn,), WHITE, "", nouns=(0,)))
    np.testing.assert_allclose(followed, wanted, atol=1e-4)


def test_what_has_no_canvas_is_not_asked_for() -> None:
    _, is_known = targets(Placed(APPLE, 128, 128, 200), nouns=(3,))
    assert not is_known.any()
    scene = Scene((Placed(APPLE, 128, 128, 200),), WHITE, "", nouns=(0,))
    assert (layout_of(scene, is_named=False) == -1).all()


def test_taught_attention_is_diffusers_own_and_can_be_taught() -> None:
    torch.manual_seed(0)
    unet = build_unet()
    x, context = torch.randn(2, 32, 16, 16), torch.randn(2, NUM_TOKENS, TEXT_WIDTH)
    unet.set_attn_processor(AttnProcessor2_0())
    expected = unet(x, 600, context).sample
    lookup = Lookup(unet)
    assert len(lookup.processors) == 9
    torch.testing.assert_close(unet(x, 600, context).sample, expected)
    scene = Scene((Placed(APPLE, 128, 128, 200),), WHITE, "", nouns=(0,))
    places = Places(torch.from_numpy(np.stack([layout_of(scene)] * 2)))
    lookup.show(places)
    unet(x, 600, context)
    optimiser = torch.optim.Adam(unet.parameters(), lr=1e-3)
    first = lookup.loss().item()
    for _ in range(4):
        optimiser.zero_grad()
        unet(x, 600, context)
        lookup.loss().backward()
        optimiser.step()
    assert lookup.loss().item() < first - 0.5


def test_forced_rows_look_at_the_right_places_and_the_others_where_they_did() -> None:
    torch.manual_seed(0)
    taught: Any = TaughtAttention()
    layer: Any = Attention(query_dim=8, cross_attention_dim=TEXT_WIDTH, heads=4, dim_head=2)
    layer.set_processor(taught)
    layer.to_out[0] = torch.nn.Identity()
    states, context = torch.randn(2, 64, 8), torch.randn(2, NUM_TOKENS, TEXT_WIDTH)
    free = layer(states, context)
    scene = Scene((Placed(APPLE, 128, 128, 200),), WHITE, "", nouns=(0,))
    places = Places(torch.from_numpy(np.stack([layout_of(scene)] * 2)))
    places.is_forced = torch.tensor([True, False])
    taught.places = places
    forced = layer(states, context)
    weights, is_known = places.on(64, turn=0)
    assert is_known[0].any()
    assert not is_known[0].all()
    torch.testing.assert_close(forced[1], free[1])
    torch.testing.assert_close(forced[0, ~is_known[0]], free[0, ~is_known[0]])
    width = NUM_TAUGHT_HEADS * 2
    values = layer.to_v(context[0])[:, :width].unflatten(1, (NUM_TAUGHT_HEADS, -1)).transpose(0, 1)
    wanted = (weights[0] @ values).transpose(0, 1).flatten(1)[is_known[0]]
    torch.testing.assert_close(forced[0, is_known[0], :width], wanted)
    torch.testing.assert_close(forced[0, :, width:], free[0, :, width:])


def test_sharpened_heads_look_where_they_did_but_surer() -> None:
    torch.manual_seed(0)
    unet = build_unet().eval().requires_grad_(False)
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    lookup = Lookup(unet)
    # Later ones also see what those before them found.
    first = unet.mid_block.attentions[0].transformer_blocks[0].attn2.processor
    x, context = torch.randn(1, 32, 16, 16), torch.randn(1, NUM_TOKENS, TEXT_WIDTH)
    unet(x, 600, context)
    taught = first.log_shares
    sharpen(unet, 2.0)
    changed = [n for n, value in unet.state_dict().items() if not torch.equal(value, before[n])]
    assert len(changed) == len(lookup.processors)
    assert all(name.endswith("attn2.to_q.weight") for name in changed)
    for name in changed:
        ratio = unet.state_dict()[name] / before[name]
        taught_part, free = ratio.chunk(2)
        assert (taught_part == 2).all()
        assert (free == 1).all()
    unet(x, 600, context)
    torch.testing.assert_close(first.log_shares, (2 * taught).log_softmax(dim=-1))
    sharpen(unet, 0.5)
    assert all(torch.equal(value, before[name]) for name, value in unet.state_dict().items())


def test_so_many_rows_are_forced() -> None:
    torch.manual_seed(0)
    layout = torch.full((1000, 4, 7), -1.0)
    assert not Places(layout).is_forced.any()
    assert 0.2 < Places(layout, 0.25).is_forced.float().mean() < 0.3
    of_each = torch.tensor([1.0, 0.0]).repeat(500)
    assert torch.equal(Places(layout, of_each).is_forced, of_each.bool())


def test_a_pools_layouts_follow_the_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def spy(scene: Scene, bends: Sequence[Bend] = (), is_named: bool = True) -> np.ndarray:
        asked.append((len(scene.objects), len(bends)))
        return layout_of(scene, bends, is_named)

    monkeypatch.setattr(pool, "layout_of", spy)
    pairs = pool.sample_pairs(np.random.default_rng(3), concepts(), 20, Vague(concepts(), {}, []))
    hands = [(num, followed) for num, followed in asked if followed]
    assert len(hands) >= sum(not pair.is_canonical for pair in pairs) > 4
    assert all(num == followed for num, followed in hands)
