"""What the autoencoder is scored by."""

import torch
import torch.nn.functional as F

# RGB → luma and two chroma axes (ITU-R BT.601): colour errors are weighted apart from brightness.
_YCC = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
_CHROMA_WEIGHT = 2.0
# Of Y, Cb and Cr (−1 to 1) over scenes and sketches, by 16×16 patches.
_COLOUR_MEAN, _COLOUR_DEVIATION = (0.62, -0.015, 0.035), (0.46, 0.165, 0.18)


def picture_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Colour-aware L1 at three scales plus L1 of gradients.

    Args:
        predicted, target: `(N, 3, H, W) float`, −1 to 1.
    """
    matrix = _YCC.to(predicted)
    difference = torch.einsum("ij,njhw->nihw", matrix, predicted - target)
    difference = (
        difference * predicted.new_tensor([1, _CHROMA_WEIGHT, _CHROMA_WEIGHT])[:, None, None]
    )
    loss = difference.abs().mean()
    coarse = difference
    for _ in range(2):
        coarse = F.avg_pool2d(coarse, 4)
        loss = loss + 0.5 * coarse.abs().mean()
    horizontal = difference[..., 1:] - difference[..., :-1]
    vertical = difference[..., 1:, :] - difference[..., :-1, :]
    return loss + horizontal.abs().mean() + vertical.abs().mean()


def colour_loss(latents: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """How far the first three of latents `(N, C, h, w)` are from each patch's mean Y, Cb and Cr.

    The colours are standardised by what scenes and sketches have on average. Left to themselves
    the latents held brightness alone at first, and one axis of colour was still missing after
    2,500 steps.
    """
    means = F.adaptive_avg_pool2d(pictures, (latents.shape[-2], latents.shape[-1]))
    means = torch.einsum("ij,njhw->nihw", _YCC.to(pictures), means)
    means = means - means.new_tensor(_COLOUR_MEAN)[:, None, None]
    return F.mse_loss(latents[:, :3], means / means.new_tensor(_COLOUR_DEVIATION)[:, None, None])


def whiteness_loss(latents: torch.Tensor) -> torch.Tensor:
    """How far latents `(N, C, h, w)` are from zero mean and identity covariance over a batch."""
    flat = latents.transpose(0, 1).flatten(1)
    mean = flat.mean(dim=1)
    centred = flat - mean[:, None]
    covariance = centred @ centred.T / centred.shape[1]
    identity = torch.eye(len(covariance), device=latents.device)
    return mean.square().mean() + (covariance - identity).square().mean() * 4
