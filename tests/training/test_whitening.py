"""Whitened layers are the same function, learn in other coordinates, and leave no trace."""

import torch

from training.doodle.model import NUM_TOKENS, TEXT_WIDTH, build_unet
from training.doodle.whitening import folded, whiten, whitening_of


def test_whitened_states_have_unit_mean_squares_and_do_not_correlate() -> None:
    torch.manual_seed(0)
    states = torch.randn(4000, 8) @ torch.randn(8, 8) + torch.randn(8)
    white = states @ whitening_of(states)
    moments = white.T @ white / len(white)
    assert (moments - torch.diag(moments.diag())).abs().max() < 0.05
    assert (moments.diag() > 0.5).all()
    assert (moments.diag() <= 1).all()


def test_a_whitened_denoiser_predicts_the_same_and_folds_back() -> None:
    torch.manual_seed(0)
    unet = build_unet()
    before = {key: value.clone() for key, value in unet.state_dict().items()}
    x, context = torch.randn(2, 32, 16, 16), torch.randn(2, NUM_TOKENS, TEXT_WIDTH)
    context = context @ torch.randn(TEXT_WIDTH, TEXT_WIDTH) / TEXT_WIDTH**0.5
    expected = unet(x, 600, context).sample
    matrix = whitening_of(context.flatten(0, 1))
    whiten(unet, matrix)
    torch.testing.assert_close(unet(x, 600, context).sample, expected, atol=1e-4, rtol=1e-3)
    found = folded(unet, matrix)
    assert found.keys() == before.keys()
    for key, value in before.items():
        torch.testing.assert_close(found[key], value, atol=1e-4, rtol=1e-3)
    key = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight"
    assert not torch.allclose(unet.state_dict()[key], before[key])
